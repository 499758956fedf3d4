/** Which classes are mistaken for which: a table, or for many classes the most frequent mistakes as a list. */
import { cell } from "./export.js";
import { wholePercent } from "./format.js";
import { t } from "./i18n.js";

/** More classes make a table that nobody reads. */
export const MOST_IN_TABLE = 12;
/** Mistakes in the list. */
const MOST_MISTAKES = 12;
/** Strengths of colour, for shares up to a quarter, a half, three quarters and one. */
const STRENGTHS = 4;

/**
 * Mistakes, the most frequent first.
 *
 * @param {number[][]} confusion photos of each class (rows) by the class answered (columns)
 * @param {string[]} labels
 */
export function mistakes(confusion, labels) {
  const all = [];
  confusion.forEach((row, of) => {
    const total = row.reduce((sum, count) => sum + count, 0);
    row.forEach((count, as) => as !== of && count > 0 && all.push({ label: labels[of], answer: labels[as], count, total }));
  });
  return all.sort((a, b) => b.count - a.count || b.count / b.total - a.count / a.total);
}

/**
 * Shows the matrix in `table`, or the mistakes in `list`; the other is hidden.
 *
 * @param {{region: HTMLElement, table: HTMLTableElement, list: HTMLElement}} places `region` holds the table
 * @param {number[][]} confusion
 * @param {string[]} labels
 */
export function showConfusion({ region, table, list }, confusion, labels) {
  const small = labels.length <= MOST_IN_TABLE;
  const found = small ? [] : mistakes(confusion, labels).slice(0, MOST_MISTAKES);
  region.hidden = !small;
  list.hidden = found.length === 0;
  list.replaceChildren(...found.map(mistakeItem));
  table.tHead.replaceChildren(...(small ? headRows(labels) : []));
  table.tBodies[0].replaceChildren(...(small ? confusion.map((row, of) => bodyRow(row, of, labels)) : []));
}

function mistakeItem({ label, answer, count, total }) {
  const item = document.createElement("li");
  item.textContent = t("honest.mistake", { label, answer, count, total });
  return item;
}

function header(scope, text) {
  const made = document.createElement("th");
  made.scope = scope;
  const shown = document.createElement("bdi");
  shown.textContent = text;
  made.append(shown);
  return made;
}

function headRows(labels) {
  const [over, names] = [document.createElement("tr"), document.createElement("tr")];
  const answered = header("colgroup", t("honest.answered"));
  answered.colSpan = labels.length;
  over.append(document.createElement("td"), answered);
  names.append(header("col", t("honest.shows")), ...labels.map((label) => header("col", label)));
  return [over, names];
}

function bodyRow(row, of, labels) {
  const made = document.createElement("tr");
  const total = row.reduce((sum, count) => sum + count, 0);
  const cells = row.map((count, as) => {
    const made = document.createElement("td");
    made.textContent = String(count);
    made.dataset.share = String(total > 0 ? Math.ceil((count / total) * STRENGTHS) : 0);
    made.toggleAttribute("data-right", as === of);
    if (count > 0) made.title = t("honest.share", { share: () => wholePercent(count / total), label: labels[of], answer: labels[as] });
    return made;
  });
  made.append(header("row", labels[of]), ...cells);
  return made;
}

/** The matrix as CSV: photos of each class (rows) by the class answered (columns). */
export function confusionCsv(confusion, labels) {
  const rows = [["class \\ answer", ...labels], ...confusion.map((row, of) => [labels[of], ...row])];
  return rows.map((cells) => `${cells.map(cell).join(",")}\r\n`).join("");
}
