/** How much of a model's weights has come, over all of their files. */
export class Progress {
  #loaded = 0;
  /** Bytes of each file; `null` where that is not known. */
  #sizes = new Map();
  /** The files that were read. */
  #read = new Set();

  /**
   * @param {string} name
   * @param {number | null} size
   * @param {boolean} look whether the file is only looked into, and read later
   */
  open(name, size, look) {
    this.#sizes.set(name, size);
    if (look) return;
    // From the start again, for another device.
    if (this.#read.has(name)) {
      this.#read.clear();
      this.#loaded = 0;
    }
    this.#read.add(name);
  }

  add(bytes) {
    this.#loaded += bytes;
    return this;
  }

  get loaded() {
    return this.#loaded;
  }

  /** Bytes of all files; `null` where that is not known. */
  get total() {
    let total = 0;
    for (const size of this.#sizes.values()) {
      if (size === null) return null;
      total += size;
    }
    return total;
  }
}
