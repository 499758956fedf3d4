/* How a model prepares an image, and the last step of it: from bytes to the values that the model reads. */

/**
 * What the engine tells of it, under the names that the package gives.
 *
 * @param {string} json
 * @returns {import("./index.js").Preprocessing}
 */
export function readPreprocessing(json) {
  const { resize, crop_width: width, crop_height: height, rescale, mean, std } = JSON.parse(json);
  return { resize: readResize(resize), width, height, rescale, mean, std };
}

function readResize(resize) {
  if (resize === "None") return { to: "nothing" };
  const [[kind, size]] = Object.entries(resize);
  if (kind === "Exact") return { to: "size", width: size.width, height: size.height };
  return { to: kind === "ShortestEdge" ? "shorter-side" : "square", side: size };
}

/**
 * The model's input, [3, height, width].
 *
 * @param {ArrayLike<number>} bytes pixels, rows from the top, of three or four channels; the fourth is ignored
 * @param {import("./index.js").Preprocessing} preprocessing
 */
export function modelInput(bytes, { width, height, rescale, mean, std }) {
  const area = width * height;
  const channels = bytes.length / area;
  const values = new Float32Array(3 * area);
  for (let c = 0; c < 3; c += 1) {
    for (let i = 0; i < area; i += 1) values[c * area + i] = (bytes[channels * i + c] * rescale - mean[c]) / std[c];
  }
  return values;
}
