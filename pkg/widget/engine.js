import { PromptLens } from "../index.js";

/**
 * Loads what answers: the classifier of a file, or a model whose class list the attributes have.
 *
 * @param {object} how
 * @param {string} how.src the address of a classifier file; empty: there is none
 * @param {string | null} how.own the model that the page asks for, in place of the file's
 * @param {string} how.model the model without a file
 * @param {string} how.device
 * @param {(event: any) => void} how.onProgress
 * @param {AbortSignal} how.signal
 * @returns {{lens: Promise<PromptLens>, file: Promise<import("../index.js").Classifier> | null}}
 */
export function begin({ src, own, model, device, onProgress, signal }) {
  const how = { device, onProgress, signal };
  if (!src) return { lens: PromptLens.load({ model, ...how }), file: null };
  const file = PromptLens.open(src, { model: own ?? undefined, ...how });
  return { lens: file.then(({ lens }) => lens), file };
}
