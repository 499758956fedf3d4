import { blobOf, defined } from "./arguments.js";
import { classifyAll } from "./classify_all.js";

/**
 * Fits the threshold of a class list on photos: by the engine alone, or decoded in workers of their own if
 * the caller says how many. Photos that are tuned on take the engine's time and not theirs.
 *
 * @param {import("./client.js").EngineClient} engine
 * @param {number} classes what the engine knows the class list by
 * @param {Iterable<any>} images
 * @param {import("./index.js").CalibrateOptions} options
 * @returns {Promise<import("./index.js").Calibration>}
 */
export async function calibrate(engine, classes, images, { signal, onProgress, concurrency, ...options }) {
  const blobs = Array.from(images, blobOf);
  const { tune = "none", ood, heatmap, ...rest } = defined(options);
  if (tune !== "none" || concurrency === undefined) return engine.call("calibrate", { classes, images: blobs, options: defined(options) }, { signal, onProgress });
  // A threshold needs a score, and no map.
  const scoring = { ...rest, tune, ood: ood === false || ood === undefined ? true : ood };
  const scores = [];
  const failures = [];
  const tell = (loaded) => onProgress?.({ stage: "calibrate", loaded, total: blobs.length, source: "cache" });
  tell(0);
  for await (const { index, result, error } of classifyAll(engine, classes, blobs, { ...scoring, concurrency, signal })) {
    if (result) scores.push(result.ood.value);
    else failures.push({ index, code: error.code, message: error.message });
    tell(index + 1);
  }
  const fitted = await engine.call("calibrateScores", { classes, scores, options: scoring }, { signal });
  return { ...fitted, failures };
}
