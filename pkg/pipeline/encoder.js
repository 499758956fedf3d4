/* Features of one image. */
import { PromptLensError } from "../error.js";
import { readImage } from "./image.js";
import { bitmapFile, preprocessed } from "./preprocess.js";

/** Cosine from which two features are those of the same input: what rounding leaves is far above. */
const SAME = 0.9999;

/**
 * @param {import("../index.js").PromptLens} lens
 * @param {"canvas" | "pillow"} resize who scales: a canvas, as in transformers.js, or the engine, as in training
 */
export function imageEncoder(lens, resize) {
  /** Why the browser could not decode a file: the engine names what is wrong with it. */
  const explain = (blob) =>
    lens.embedImage(blob).then(
      () => new PromptLensError("image/unknown-format", "This browser cannot decode the image. Save it as JPEG or PNG."),
      (error) => error,
    );
  /** @type {Promise<void> | null} */
  let checked = null;

  /** The feature as the image tower gives it. */
  async function raw(image, signal) {
    await (checked ??= checkPreprocessing(lens));
    const pixels = preprocessed(await readImage(image, explain, signal), lens.info.imageSize);
    const [feature] = await lens.embedPixels(pixels, { signal });
    return feature;
  }

  /** The same with length 1. */
  async function unit(image, signal) {
    if (resize === "canvas") return unitOf(await raw(image, signal));
    const file = image instanceof Blob ? image : bitmapFile(await readImage(image, explain, signal));
    return lens.embedImage(file, { signal });
  }
  return { raw, unit };
}

/**
 * A canvas prepares every image as CLIP's own configuration says. The engine, which has read the
 * model's, must see the same square in the same range of values; a wide picture of noise tells.
 */
async function checkPreprocessing(lens) {
  const side = lens.info.imageSize;
  const image = new ImageData(2 * side, side);
  let state = 1;
  for (let i = 0; i < image.data.length; i += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    image.data[i] = i % 4 === 3 ? 255 : state >>> 24;
  }
  const expected = await lens.embedImage(bitmapFile(image));
  const [found] = await lens.embedPixels(preprocessed(image, side));
  const cosine = unitOf(found).reduce((sum, value, i) => sum + value * expected[i], 0);
  if (cosine >= SAME) return;
  throw new PromptLensError("config/invalid", 'This model prepares images in another way than CLIP. Use `resize: "pillow"`, with which the engine prepares them as the model\'s configuration says.');
}

function unitOf(feature) {
  const length = Math.sqrt(feature.reduce((sum, value) => sum + value * value, 0));
  return feature.map((value) => value / length);
}
