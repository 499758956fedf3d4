/* Features of one image. */
import { PromptLensError } from "../error.js";
import { modelInput } from "../preprocessing.js";
import { bitmapFile, scaledByCanvas } from "./canvas.js";
import { readImage } from "./image.js";

/**
 * @param {import("../index.js").PromptLens} lens
 * @param {"canvas" | "pillow"} resize who scales: a canvas, as in transformers.js, or the engine, as in training
 * @returns {(image: unknown, signal?: AbortSignal) => Promise<Float32Array>} the feature as the image tower gives it
 */
export function imageEncoder(lens, resize) {
  /** Why the browser could not decode a file: the engine names what is wrong with it. */
  const explain = (blob) =>
    lens.embedImage(blob).then(
      () => new PromptLensError("image/unknown-format", "This browser cannot decode the image. Save it as JPEG or PNG."),
      (error) => error,
    );
  return async (image, signal) => {
    if (resize === "pillow") {
      const file = image instanceof Blob ? image : bitmapFile(await readImage(image, explain, signal));
      return lens.embedImage(file, { signal, normalize: false });
    }
    const preprocessing = await lens.preprocessing();
    const pixels = scaledByCanvas(await readImage(image, explain, signal), preprocessing);
    const [feature] = await lens.embedPixels(modelInput(pixels.data, preprocessing), { signal });
    return feature;
  };
}
