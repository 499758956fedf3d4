/** What the engine is doing, as a sentence. */
import { t } from "./i18n.js";

const COUNTED = new Set(["views", "vocabulary", "mining", "negatives", "calibrate"]);

/** A sentence for a progress event of the package. */
export function stageText({ stage, loaded, total }) {
  // Every step has two halves, of which the second finds the gradient.
  if (stage === "tune" && total) return t("stage.tune", { done: Math.min(Math.floor(loaded / 2) + 1, total / 2), total: total / 2 });
  if (COUNTED.has(stage) && total) return t(`stage.${stage}`, { done: Math.min(loaded + 1, total), total });
  return t("card.looking");
}
