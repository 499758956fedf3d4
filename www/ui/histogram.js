/** The histogram of scores, as a small picture with a text that says the same. */
import { score } from "./format.js";
import { t } from "./i18n.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 280;
const HEIGHT = 72;
const FLOOR = HEIGHT - 14;
/** Room for the word beside the threshold. */
const ROOF = 14;
const BINS = 14;

function element(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  if (text !== undefined) made.textContent = text;
  return made;
}

/** Lowest and highest of the values, apart from each other even if all are equal. */
export function extent(values) {
  const low = Math.min(...values);
  const high = Math.max(...values);
  const room = (high - low || Math.abs(high) || 1) * 0.05;
  return [low - room, high + room];
}

/**
 * Draws the scores into a figure, which is hidden if there are none.
 *
 * @param {HTMLElement} figure
 * @param {{value: number, isOutlier: boolean | null}[]} seen
 * @param {number | null} threshold
 */
export function drawHistogram(figure, seen, threshold) {
  figure.hidden = seen.length === 0;
  if (seen.length === 0) {
    figure.replaceChildren();
    return;
  }
  const values = seen.map(({ value }) => value);
  const [low, high] = extent(threshold === null ? values : [...values, threshold]);
  const place = (value) => ((value - low) / (high - low)) * WIDTH;
  const bins = Array.from({ length: BINS }, () => 0);
  for (const value of values) bins[Math.min(BINS - 1, Math.floor((place(value) / WIDTH) * BINS))] += 1;
  const most = Math.max(...bins);

  const svg = element("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, "aria-hidden": "true" });
  bins.forEach((count, index) => {
    const height = (count / most) * (FLOOR - ROOF);
    const x = (index * WIDTH) / BINS + 1;
    if (count) svg.append(element("rect", { x, y: FLOOR - height, width: WIDTH / BINS - 2, height, rx: 1.5, class: "bin" }));
  });
  svg.append(element("line", { x1: 0, x2: WIDTH, y1: FLOOR, y2: FLOOR, class: "axis" }));
  if (threshold !== null) {
    const x = place(threshold);
    svg.append(element("line", { x1: x, x2: x, y1: 2, y2: FLOOR, class: "threshold" }));
    const end = x > WIDTH / 2;
    svg.append(element("text", { x: x + (end ? -4 : 4), y: 10, "text-anchor": end ? "end" : "start" }, t("reject.threshold")));
  }
  svg.append(element("text", { x: 0, y: HEIGHT - 2 }, score(Math.min(...values))));
  svg.append(element("text", { x: WIDTH, y: HEIGHT - 2, "text-anchor": "end" }, score(Math.max(...values))));

  const caption = document.createElement("figcaption");
  caption.textContent = describe(seen, threshold);
  figure.replaceChildren(svg, caption);
}

function describe(seen, threshold) {
  const values = seen.map(({ value }) => value).sort((a, b) => a - b);
  const [low, high] = [score(values[0]), score(values.at(-1))];
  const range = seen.length === 1 ? low : t("reject.range", { low, high });
  const below = seen.filter(({ isOutlier }) => isOutlier).length;
  const key = threshold === null ? "reject.histogram" : "reject.histogram-below";
  return t(key, { count: seen.length, range, below, threshold: () => score(threshold) });
}
