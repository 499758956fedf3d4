/**
 * Sentences of the engine that have no code. They are English; they are recognized by their beginning,
 * and a language may have its own sentence (`reason.*`, `stale.*`). Unknown ones are shown as they are.
 */
import { known, t } from "./i18n.js";

/** Why the model does not run on WebGPU: how the sentence begins, and the word for it. */
export const REASONS = [
  ["the CPU was asked for", "asked"],
  ["WebGPU needs a page served over HTTPS or from localhost", "insecure"],
  ["this browser has no WebGPU", "none"],
  ["the browser refused an adapter", "refused"],
  ["this browser has WebGPU but offers no adapter for it", "no-adapter"],
  ["the browser gives no WebGPU adapter", "no-adapter"],
  ["the WebGPU adapter lacks timestamp-query", "timestamps"],
  ["the WebGPU adapter is a software one, which is slower than the CPU", "software"],
  ["WebGPU cannot be used here", "unusable"],
  ["This device computes wrong values for a known answer", "wrong"],
];

/** What has changed since a calibration. */
export const CHANGES = [
  ["the model", "model"],
  ["the quantisation", "quantisation"],
  ["the prompt", "prompt"],
  ["the class names", "names"],
  ["the negative labels", "negatives"],
  ["the score", "score"],
  ["the parameters of the score", "parameters"],
  ["the test-time tuning", "tuning"],
];

/** The sentence around the changes. */
export const STALE = /^The threshold does not hold here, because this changed since it was calibrated: (.*)\. Calibrate again\.$/s;
const FROM_TO = /^(.*) \(from (.*) to (.*)\)$/s;

/** Why this device computes. */
export function reasonText(reason) {
  const [, word] = REASONS.find(([start]) => reason.startsWith(start)) ?? [];
  return known(`reason.${word}`) ? t(`reason.${word}`) : reason;
}

/** Why a threshold does not hold. */
export function staleText(sentence) {
  const [, list] = STALE.exec(sentence) ?? [];
  if (!list || !known("stale.sentence")) return sentence;
  return t("stale.sentence", { changes: list.split("; ").map(change).join(t("stale.and")) });
}

function change(phrase) {
  const [, what = phrase, old, now] = FROM_TO.exec(phrase) ?? [];
  const word = new Map(CHANGES).get(what);
  if (!word) return phrase;
  return old === undefined ? t(`stale.${word}`) : t("stale.from-to", { what: t(`stale.${word}`), old, now });
}
