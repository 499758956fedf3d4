/** What an assessment found, in sentences. */
import { mistakes } from "./confusion.js";
import { apart, percent, wholePercent } from "./format.js";
import { t } from "./i18n.js";

/** Mistakes in a summary. */
const MOST_MISTAKES = 5;

/**
 * @typedef {import("../pkg/index.js").Assessment} Assessment
 * @typedef {object} Measured
 * @property {Assessment} found
 * @property {string[]} labels
 * @property {import("../state/honesty.js").Basis} basis what it was measured with
 * @property {Map<string, number>} left photos of folders that are no class
 * @property {number} loose photos in no folder
 * @property {{name: string, code: string}[]} unread files that could not be read
 * @property {string} model
 */

/** A temperature, with as many digits as anybody reads. */
export const twoDecimals = (value) => apart(value)[0];

/** How many answers are right. @param {Assessment} found */
export const accuracyText = ({ n, accuracy }) =>
  t("honest.accuracy", { share: () => wholePercent(accuracy), right: Math.round(accuracy * n), count: n });

/** Whether the percentages are too high or too low. @param {Assessment} found */
export function calibrationText({ accuracy, reliability: { confidence, ece } }) {
  return t("honest.says", { said: () => wholePercent(confidence), right: () => wholePercent(accuracy), ece: () => percent(ece) });
}

/** The ends of what the engine fits: nothing but right answers ask for no end of certainty, nothing but wrong ones for none. */
const ENDS = [0.051, 19.9];

/** Whether a temperature makes percentages honest; `false`: the photos are too few or too easy to say. @param {Assessment} found */
export const fits = ({ temperature, atTemperature }) => atTemperature !== null && temperature > ENDS[0] && temperature < ENDS[1];

/** What the temperature changes, or why there is none. @param {Assessment} found */
export function temperatureText({ n, temperature, reliability, atTemperature }) {
  if (!atTemperature) return t("honest.too-few", { count: n });
  if (!fits({ temperature, atTemperature })) return t("honest.no-end");
  const words = {
    temperature: () => twoDecimals(temperature),
    said: () => wholePercent(atTemperature.confidence),
    before: () => percent(reliability.ece),
    after: () => percent(atTemperature.ece),
  };
  return t(atTemperature.ece < reliability.ece ? "honest.better" : "honest.no-better", words);
}

/** All of it as lines of text. @param {Measured} measured */
export function summaryOf({ found, labels, model }) {
  const worst = mistakes(found.confusion, labels).slice(0, MOST_MISTAKES);
  const lines = [
    t("honest.summary", { model, count: labels.length }),
    accuracyText(found),
    calibrationText(found),
    temperatureText(found),
    ...worst.map((mistake) => t("honest.mistake", mistake)),
  ];
  return `${lines.join("\n")}\n`;
}
