/** Where the names are on a photo, drawn over its preview when the user asks. */
import { drawHeatmap } from "../pkg/heatmap.js";
import { announce } from "./announce.js";
import { percent } from "./format.js";
import { setMessage, t } from "./i18n.js";
import { showProblem } from "./problem.js";

export class Heat {
  #button;
  #controls;
  #canvas;
  #label;
  #method;
  #problem;
  #range;
  #ask;
  /** The maps of the answer that is shown, by method. @type {Map<string, import("../pkg/index.js").Heatmap>} */
  #maps = new Map();

  /**
   * @param {HTMLElement} card
   * @param {(method: string) => Promise<import("../pkg/index.js").Heatmap>} ask
   */
  constructor(card, ask) {
    this.#ask = ask;
    this.#button = card.querySelector(".where");
    this.#controls = card.querySelector(".heat");
    this.#canvas = card.querySelector(".heat-map");
    this.#label = card.querySelector(".heat-label");
    this.#method = card.querySelector(".heat-method");
    this.#range = card.querySelector(".heat-range");
    this.#problem = card.querySelector(".heat-problem");
    this.#button.addEventListener("click", () => void this.#toggle());
    this.#method.addEventListener("change", () => void this.#show());
    this.#label.addEventListener("change", () => this.#draw());
  }

  /** There is another answer, with `names` names; 0: there is none. */
  ready(names) {
    this.#maps.clear();
    // With one name every place shows that name.
    this.#button.hidden = names < 2;
    this.#hide();
  }

  async #toggle() {
    if (!this.#controls.hidden) {
      this.#hide();
      return;
    }
    await this.#show();
  }

  #hide() {
    this.#controls.hidden = true;
    this.#canvas.hidden = true;
    this.#button.setAttribute("aria-expanded", "false");
    showProblem(this.#problem, null);
  }

  async #show() {
    const method = this.#method.value;
    const maps = this.#maps;
    this.#button.setAttribute("aria-busy", "true");
    try {
      if (!maps.has(method)) maps.set(method, await this.#ask(method));
    } catch (error) {
      if (error.code !== "engine/cancelled") showProblem(this.#problem, error);
      return;
    } finally {
      this.#button.removeAttribute("aria-busy");
    }
    // The settings may have changed meanwhile.
    if (this.#button.hidden || !maps.has(method)) return;
    const chosen = this.#label.value;
    const labels = maps.get(method).maps.map(({ label }) => label);
    this.#label.replaceChildren(...labels.map((label) => new Option(label, label)));
    if (labels.includes(chosen)) this.#label.value = chosen;
    this.#controls.hidden = false;
    this.#button.setAttribute("aria-expanded", "true");
    this.#draw();
  }

  #draw() {
    const { width, height, maps } = this.#maps.get(this.#method.value);
    const { label, values } = maps.find((map) => map.label === this.#label.value) ?? maps[0];
    drawHeatmap(this.#canvas, { width, height, values });
    this.#canvas.hidden = false;
    const words = { label, place: () => t(`heat.${place(values, width, height)}`) };
    setMessage(this.#canvas, "heat.map", words, "aria-label");
    // Every map is drawn from dark to bright, however little its places differ.
    setMessage(this.#range, "heat.range", { low: () => percent(Math.min(...values)), high: () => percent(Math.max(...values)) });
    announce(t("heat.map", words));
  }
}

/** Which of nine parts of the picture has most of the name, for those who do not see the map. */
function place(values, width, height) {
  const best = values.indexOf(Math.max(...values));
  const third = (at, size) => Math.min(2, Math.floor((3 * at) / size));
  const row = ["top", "middle", "bottom"][third(Math.floor(best / width), height)];
  const column = ["left", "centre", "right"][third(best % width, width)];
  return `${row}-${column}`;
}
