/** Loss and accuracy of every step, as a small picture with a text that says the same. */
import { apart, wholePercent } from "./format.js";
import { t } from "./i18n.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 280;
const HEIGHT = 96;
/** Points of a line: more than the picture is wide could not be seen. */
const POINTS = 140;

function element(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
}

/** At most `POINTS` means of neighboring values, with their positions. */
function thinned(values) {
  const size = Math.ceil(values.length / POINTS);
  const points = [];
  for (let from = 0; from < values.length; from += size) {
    const part = values.slice(from, from + size);
    points.push([from + (part.length - 1) / 2, part.reduce((sum, value) => sum + value) / part.length]);
  }
  return points;
}

/** The curve of one training. */
export class Curve {
  #figure;
  #lines;
  #caption = document.createElement("figcaption");
  #losses = [];
  #accuracies = [];
  #total = 1;
  #waiting = 0;

  /** @param {HTMLElement} figure */
  constructor(figure) {
    this.#figure = figure;
    const svg = element("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, "aria-hidden": "true" });
    this.#lines = ["loss", "accuracy"].map((name) => element("polyline", { class: name }));
    svg.append(element("line", { x1: 0, x2: WIDTH, y1: HEIGHT - 1, y2: HEIGHT - 1, class: "axis" }), ...this.#lines);
    figure.replaceChildren(svg, this.#caption);
    figure.hidden = true;
  }

  /** Takes the next step; the picture follows with the next frame. */
  add({ loss, accuracy, total }) {
    this.#losses.push(loss);
    this.#accuracies.push(accuracy);
    this.#total = total;
    this.#waiting ||= requestAnimationFrame(() => this.draw());
  }

  /** Removes the picture, and the frame that waits to draw it. */
  remove() {
    this.#losses = [];
    this.draw();
  }

  draw() {
    cancelAnimationFrame(this.#waiting);
    this.#waiting = 0;
    this.#figure.hidden = this.#losses.length === 0;
    if (this.#figure.hidden) return;
    const losses = thinned(this.#losses);
    const low = Math.min(...losses.map(([, loss]) => loss), 0);
    const high = Math.max(...losses.map(([, loss]) => loss), low + 1e-9);
    const x = (step) => ((step + 0.5) / this.#total) * WIDTH;
    const y = (share) => 3 + (1 - share) * (HEIGHT - 6);
    const line = (points) => points.map(([step, share]) => `${x(step).toFixed(1)},${y(share).toFixed(1)}`).join(" ");
    this.#lines[0].setAttribute("points", line(losses.map(([step, loss]) => [step, (loss - low) / (high - low)])));
    this.#lines[1].setAttribute("points", line(thinned(this.#accuracies)));
    const [first, last] = apart(losses[0][1], losses.at(-1)[1]);
    const right = thinned(this.#accuracies).at(-1)[1];
    this.#caption.textContent = t("teach.curve", { first, last, right: () => wholePercent(right) });
  }
}
