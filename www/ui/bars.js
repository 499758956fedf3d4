/** Rows of probabilities, one per class name. */
import { percent } from "./format.js";

const single = document.getElementById("bar-template");
const pair = document.getElementById("pair-template");

const clone = (template) => template.content.cloneNode(true).firstElementChild;

function fill(part, probability, value) {
  part.querySelector(".bar-value").textContent = value;
  part.querySelector(".bar-fill").style.setProperty("--part", String(probability));
}

/** One class with one bar. */
export function bar({ label, probability }) {
  const row = clone(single);
  row.querySelector(".bar-label bdi").textContent = label;
  fill(row, probability, percent(probability));
  return row;
}

/** One class with the bar before tuning beside the one after it. */
export function pairOfBars({ label, probability }, before) {
  const row = clone(pair);
  row.querySelector(".bar-label bdi").textContent = label;
  fill(row.querySelector(".before"), before, percent(before));
  fill(row.querySelector(".after"), probability, percent(probability));
  return row;
}

/** An empty row in place of one to come; if that will be `tuned`, with a bar before and one after. */
export function emptyBar(tuned) {
  const row = clone(tuned ? pair : single);
  row.querySelector(".bar-label bdi").textContent = "\u00a0";
  for (const part of tuned ? row.querySelectorAll(".half") : [row]) fill(part, 0, "\u00a0");
  return row;
}
