import { duration, percent } from "./format.js";
import { showProblem } from "./problem.js";

const cardTemplate = document.getElementById("card-template");
const barTemplate = document.getElementById("bar-template");

/** Bars shown until the reader asks for all. */
const FEW = 5;
/** Larger pictures are not previewed: a browser would decode them whole. */
const MAX_PREVIEW_PIXELS = 50e6;

/** One photo on the page: its preview and its result, or what went wrong with it. */
export class Card {
  #bars;
  #more;
  #url;
  #predictions = [];
  #all = false;

  /**
   * @param {File} file
   * @param {(card: Card) => void} onRemove
   */
  constructor(file, onRemove) {
    this.file = file;
    this.name = file.name || "pasted image";
    this.element = cardTemplate.content.cloneNode(true).firstElementChild;
    this.#bars = this.#find(".bars");
    this.#more = this.#find(".more");
    this.#find(".file bdi").textContent = this.name;
    const remove = this.#find(".remove");
    remove.setAttribute("aria-label", `Remove ${this.name}`);
    remove.addEventListener("click", () => onRemove(this));
    this.#more.addEventListener("click", () => {
      this.#all = !this.#all;
      this.#renderBars();
    });
    this.#preview();
  }

  /** The photo waits for `reason`, with room kept for `rows` bars so that nothing moves later. */
  wait(reason, rows) {
    this.#setState("waiting");
    this.#find(".waiting").textContent = reason;
    this.#find(".ran").textContent = "";
    showProblem(this.#find(".problem"), null);
    this.#more.hidden = true;
    // A result that is being computed again stays readable, dimmed, until the new one is there.
    if (this.#predictions.length > 0) return;
    this.#bars.replaceChildren(...Array.from({ length: Math.min(rows, FEW) }, () => bar("\u00a0", 0, "")));
  }

  /** Shows probabilities, the device that computed them, and how long it took. */
  show({ predictions, timings }, device) {
    this.#setState("done");
    showProblem(this.#find(".problem"), null);
    this.#predictions = predictions;
    this.#renderBars();
    const time = timings?.total === undefined ? "" : ` · ${duration(timings.total)}`;
    this.#find(".ran").textContent = `ran on ${device}${time}`;
  }

  /** Shows why this photo has no answer. */
  fail(error) {
    this.#setState("failed");
    this.#predictions = [];
    this.#renderBars();
    this.#find(".ran").textContent = "";
    showProblem(this.#find(".problem"), error);
  }

  /** Takes the card off the page. */
  remove() {
    this.element.remove();
    URL.revokeObjectURL(this.#url);
  }

  #find(selector) {
    return this.element.querySelector(selector);
  }

  #setState(state) {
    this.element.dataset.state = state;
    this.element.setAttribute("aria-busy", String(state === "waiting"));
    this.#find(".waiting").textContent = "";
  }

  #renderBars() {
    const shown = this.#all ? this.#predictions : this.#predictions.slice(0, FEW);
    this.#bars.replaceChildren(...shown.map(({ label, probability }) => bar(label, probability, percent(probability))));
    this.#more.hidden = this.#predictions.length <= FEW;
    this.#more.textContent = this.#all ? "Show fewer" : `Show all ${this.#predictions.length}`;
    this.#more.setAttribute("aria-expanded", String(this.#all));
  }

  #preview() {
    this.#url = URL.createObjectURL(this.file);
    const image = new Image();
    image.alt = this.name;
    image.decoding = "async";
    // Loaded means that the size is known; decoding starts only once the picture is on the page.
    image.addEventListener("load", () => {
      if (image.naturalWidth * image.naturalHeight > MAX_PREVIEW_PIXELS) return;
      this.#find(".thumb").replaceChildren(image);
    });
    image.src = this.#url;
  }
}

function bar(label, probability, value) {
  const row = barTemplate.content.cloneNode(true).firstElementChild;
  row.querySelector(".bar-label bdi").textContent = label;
  row.querySelector(".bar-value").textContent = value;
  row.querySelector(".bar-fill").style.setProperty("--part", String(probability));
  return row;
}
