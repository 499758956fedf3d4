/** The reliability diagram, as a small picture with a text that says the same. */
import { wholePercent } from "./format.js";
import { t } from "./i18n.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 260;
const HEIGHT = 200;
/** Room for the numbers of both axes. */
const LEFT = 34;
const FLOOR = HEIGHT - 30;
const ROOF = 6;

function element(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  if (text !== undefined) made.textContent = text;
  return made;
}

/**
 * Draws what share of the photos of each percentage is right.
 *
 * @param {HTMLElement} figure
 * @param {import("../pkg/index.js").Reliability} reliability
 */
export function drawReliability(figure, { bins }) {
  const x = (confidence) => LEFT + confidence * (WIDTH - LEFT);
  const y = (accuracy) => FLOOR - accuracy * (FLOOR - ROOF);
  const width = (WIDTH - LEFT) / bins.length;
  const svg = element("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, "aria-hidden": "true" });
  const filled = bins.filter(({ count }) => count > 0);
  for (const { from, accuracy } of filled) {
    // A bin of nothing but wrong answers is seen too.
    const height = Math.max(2, FLOOR - y(accuracy));
    svg.append(element("rect", { x: x(from) + 1, y: FLOOR - height, width: width - 2, height, rx: 1.5, class: "bin" }));
  }
  svg.append(element("line", { x1: x(0), x2: x(1), y1: FLOOR, y2: FLOOR, class: "axis" }));
  svg.append(element("line", { x1: x(0), x2: x(1), y1: y(0), y2: y(1), class: "honest" }));
  for (const share of [0, 0.5, 1]) {
    svg.append(element("text", { x: LEFT - 5, y: y(share) + 4, "text-anchor": "end" }, wholePercent(share)));
    svg.append(element("text", { x: x(share), y: FLOOR + 13, "text-anchor": ["start", "middle", "end"][share * 2] }, wholePercent(share)));
  }
  svg.append(element("text", { x: x(0.5), y: HEIGHT - 3, "text-anchor": "middle" }, t("honest.axis")));
  const caption = document.createElement("figcaption");
  const said = filled.map(({ count, confidence, accuracy }) =>
    t("honest.bin", { count, confidence: () => wholePercent(confidence), right: () => wholePercent(accuracy) }),
  );
  caption.textContent = `${t("honest.diagram")} ${said.join(t("honest.between"))}${t("honest.end")}`;
  figure.replaceChildren(svg, caption);
}
