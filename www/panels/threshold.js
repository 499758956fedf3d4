/** A threshold of the reader's own, in place of the calibrated one: for this page only, never kept. */
import { score as shown } from "../ui/format.js";
import { say } from "../ui/i18n.js";

const area = document.getElementById("threshold");
const slider = document.getElementById("threshold-slider");
const output = document.getElementById("threshold-value");
const reset = document.getElementById("threshold-reset");

/** Steps of the slider from the lowest to the highest. */
const STEPS = 200;

/** The reader's threshold, and the score that it is for. @type {{score: string, value: number} | null} */
let own = null;

/**
 * A score with the verdict of the reader's threshold, where there is one for it, or again with the
 * calibrated one, which it keeps.
 *
 * @template {import("../pkg/index.js").Ood | null} T
 * @param {T} ood
 * @returns {T}
 */
export function judged(ood) {
  if (!ood) return ood;
  const { calibrated = { threshold: ood.threshold, isOutlier: ood.isOutlier, stale: ood.stale }, ...rest } = ood;
  if (own?.score !== ood.score) return { ...rest, ...calibrated };
  return { ...rest, threshold: own.value, isOutlier: ood.value < own.value, stale: null, calibrated };
}

/** Gives the calibrated threshold its place back. */
export function forget() {
  own = null;
}

/** @param {() => void} changed the verdicts are to be made anew */
export function onThreshold(changed) {
  slider.addEventListener("input", () => {
    own = { score: slider.dataset.score, value: slider.valueAsNumber };
    changed();
  });
  reset.addEventListener("click", () => {
    forget();
    changed();
    slider.focus();
  });
}

/**
 * Fits the slider to the scores seen.
 *
 * @param {import("../pkg/index.js").Ood[]} seen
 * @param {number} low the lowest place of the histogram
 * @param {number} high its highest
 */
export function showThreshold(seen, low, high) {
  area.hidden = seen.length === 0;
  if (seen.length === 0) return;
  const threshold = seen.find((ood) => ood.threshold !== null)?.threshold ?? null;
  slider.dataset.score = seen[0].score;
  // A slider that is being moved keeps its ends under the hand.
  if (document.activeElement !== slider || slider.max === slider.min) {
    slider.step = String((high - low) / STEPS);
    slider.min = String(low);
    slider.max = String(high);
  }
  slider.value = String(threshold ?? low);
  const below = seen.filter(({ isOutlier }) => isOutlier).length;
  if (threshold === null) say(output, "threshold.none");
  else say(output, own ? "threshold.own" : "threshold.calibrated", { threshold: () => shown(threshold), below, count: seen.length });
  slider.setAttribute("aria-valuetext", output.textContent);
  reset.hidden = own === null;
  const calibrated = seen.some((ood) => (ood.calibrated?.threshold ?? null) !== null);
  say(reset, calibrated ? "threshold.reset" : "threshold.undo");
}
