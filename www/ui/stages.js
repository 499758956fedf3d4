/** What the engine is doing, in words. */
import { integer } from "./format.js";

const COUNTED = {
  views: (done, total) => `Looking at view ${done} of ${total}`,
  vocabulary: (done, total) => `Reading word ${done} of ${total}, once`,
  mining: (done, total) => `Comparing word ${done} of ${total} with your names`,
  negatives: (done, total) => `Reading other word ${done} of ${total}`,
  calibrate: (done, total) => `Scoring photo ${done} of ${total}`,
};

/** A sentence for a progress event of the package. */
export function stageText({ stage, loaded, total }) {
  // Every step has two halves, of which the second finds the gradient.
  if (stage === "tune" && total) return `Tuning, step ${integer(Math.min(Math.floor(loaded / 2) + 1, total / 2))} of ${integer(total / 2)}`;
  if (stage in COUNTED && total) return COUNTED[stage](integer(Math.min(loaded + 1, total)), integer(total));
  return "Looking…";
}
