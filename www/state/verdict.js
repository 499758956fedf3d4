/**
 * A rejection score with the verdict of the user's own threshold, if there is one for this score; else
 * with the calibrated verdict, which `calibrated` keeps.
 *
 * @template {import("../pkg/index.js").Ood | null} T
 * @param {T} ood
 * @param {{score: string, value: number} | null} own
 * @returns {T}
 */
export function judged(ood, own) {
  if (!ood) return ood;
  const { calibrated = { threshold: ood.threshold, isOutlier: ood.isOutlier, stale: ood.stale }, ...rest } = ood;
  if (own?.score !== ood.score) return { ...rest, ...calibrated };
  return { ...rest, threshold: own.value, isOutlier: ood.value < own.value, stale: null, calibrated };
}

/** The same score with a new calibrated threshold. */
export function recalibrated({ calibrated: _, ...ood }, threshold) {
  return { ...ood, threshold, isOutlier: ood.value < threshold, stale: null };
}
