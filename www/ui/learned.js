/** What a learned prompt was learned from, and what it changes, in words. */
import { percent, wholePercent } from "./format.js";
import { t } from "./i18n.js";
import { problemText } from "./problem.js";

const noteOf = ({ report }, name) => report.notes.find((note) => note.name === name)?.value;

/** How many pairs of classes a prompt has texts about; nothing for one that is not made of such texts. */
export const pairsIn = (prompt) => noteOf(prompt, "pairs with texts");

/** What was learned, from what, and how well it does. */
export function reportOf(prompt, others) {
  const { report: learned, recipe: name, labels } = prompt;
  if (!learned) return t("teach.read", { recipe: name, count: labels.length });
  const seconds = () => learned.seconds.toLocaleString(undefined, { maximumFractionDigits: 1 });
  const [described, unknown] = [pairsIn(prompt), noteOf(prompt, "pairs of no two classes")];
  // Photos beside texts about pairs are measured on alone.
  const fromPhotos = learned.images > 0 && described === undefined;
  const sentences = [t(fromPhotos ? "teach.learned" : "teach.learned-words", { recipe: name, count: learned.images, seconds })];
  if (described > 0) sentences.push(t("pairs.learned", { count: described }));
  if (unknown > 0) sentences.push(t("pairs.unknown", { count: unknown }));
  if (others > 0) sentences.push(t("teach.learned-others", { count: others }));
  if (learned.accuracyAfter !== null) {
    const [before, after] = [learned.accuracyBefore, learned.accuracyAfter].map((share) => () => percent(share));
    sentences.push(t("teach.measured", { n: learned.measured, before, after }));
  }
  if (learned.failures.length > 0) sentences.push(t("teach.failed", { failed: learned.failures.length }));
  return sentences.join(" ");
}

/** One photo's answers before and after. */
export function compared({ name, before, after, error }) {
  const line = document.createElement("tr");
  const head = document.createElement("th");
  head.scope = "row";
  const own = document.createElement("bdi");
  own.textContent = name;
  head.append(own);
  line.append(head);
  for (const best of error ? [] : [before, after]) {
    const cell = document.createElement("td");
    const label = document.createElement("bdi");
    label.textContent = best.label;
    cell.append(label, ` ${wholePercent(best.probability)}`);
    line.append(cell);
  }
  if (error) {
    const cell = document.createElement("td");
    cell.colSpan = 2;
    cell.textContent = problemText(error);
    line.append(cell);
  } else {
    line.toggleAttribute("data-changed", before.label !== after.label);
  }
  return line;
}
