/** Values of several dimensions, with the fields that transformers.js gives its own. */
export class Tensor {
  /** @type {"float32"} */
  type = "float32";

  /**
   * @param {Float32Array} data row-major
   * @param {number[]} dims
   */
  constructor(data, dims) {
    this.data = data;
    this.dims = dims;
  }

  /** How many values there are. */
  get size() {
    return this.data.length;
  }

  /** The values as arrays in arrays, one level for each dimension. */
  tolist() {
    const nested = (from, [length, ...inner]) => {
      const step = inner.reduce((a, b) => a * b, 1);
      return Array.from({ length }, (_, i) => (inner.length === 0 ? this.data[from + i] : nested(from + i * step, inner)));
    };
    return nested(0, this.dims);
  }
}
