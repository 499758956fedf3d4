/** The rejection score of one photo: a verdict in words, a gauge, and what else it may show. */
import { isolate, score } from "./format.js";
import { t } from "./i18n.js";

const template = document.getElementById("ood-template");

/** The verdict in words, or why there is none. */
export function verdictText({ isOutlier, stale }) {
  if (isOutlier === true) return t("verdict.out");
  if (isOutlier === false) return t("verdict.in");
  return t(stale ? "verdict.stale" : "verdict.none");
}

/**
 * The elements that show a score. The style sheet places the value between the lowest and the highest,
 * which are `--low` and `--high` of the list around it.
 *
 * @param {import("../pkg/index.js").Ood} ood
 */
export function gauge(ood) {
  const part = template.content.cloneNode(true);
  const verdict = part.querySelector(".verdict");
  verdict.textContent = verdictText(ood);
  verdict.dataset.verdict = { true: "out", false: "in", null: "none" }[ood.isOutlier];
  const bar = part.querySelector(".gauge");
  const calibrated = ood.threshold !== null;
  const judged = ood.isOutlier ? "verdict.below" : "verdict.not-below";
  const measure = t(calibrated ? judged : "verdict.scale", {
    score: ood.score,
    value: score(ood.value),
    threshold: () => score(ood.threshold),
  });
  bar.setAttribute("aria-label", measure);
  bar.toggleAttribute("data-calibrated", calibrated);
  bar.style.setProperty("--value", String(ood.value));
  if (calibrated) bar.style.setProperty("--threshold", String(ood.threshold));
  const shown = part.querySelector(".measure");
  shown.textContent = measure;
  // A screen reader reads the same from the gauge.
  shown.setAttribute("aria-hidden", "true");
  const negatives = part.querySelector(".negatives");
  negatives.hidden = ood.nearestNegatives.length === 0;
  negatives.textContent = t("verdict.negatives", { words: ood.nearestNegatives.map(isolate).join(", ") });
  return [...part.children];
}
