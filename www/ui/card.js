import { preview } from "../pkg/widget/preview.js";
import { bar, emptyBar, pairOfBars } from "./bars.js";
import { deviceName } from "./device.js";
import { duration } from "./format.js";
import { gauge } from "./gauge.js";
import { Heat } from "./heat.js";
import { setMessage, setText } from "./i18n.js";
import { showProblem } from "./problem.js";
import { stageText } from "./stages.js";
import { tuningReport } from "./tuning.js";

const cardTemplate = document.getElementById("card-template");

/** Bars shown until the user asks for all. */
const FEW = 5;

/** What a waiting photo says, by what it waits for. */
const WAITING = {
  turn: "card.line",
  answer: "card.looking",
  model: "card.wait-model",
  names: "card.wait-names",
  "usable-names": "card.wait-usable",
};

/**
 * One photo on the page: its preview and its answer, or what went wrong with it. The element is built when
 * it is first shown, because hundreds of photos are shown as tiles instead.
 */
export class Card {
  /** @type {HTMLElement | null} */
  #element = null;
  #bars;
  #more;
  #removed = false;
  /** Whether all bars are shown. */
  #all = false;
  #heat;
  #session;

  /**
   * @param {import("../state/photo.js").Photo} photo
   * @param {import("../session.js").Session} session
   */
  constructor(photo, session) {
    this.photo = photo;
    this.#session = session;
    photo.addEventListener("change", () => this.#element && this.#paint());
    photo.addEventListener("verdict", () => this.#element && this.#paintOod());
    photo.addEventListener("progress", ({ detail }) => this.#element && this.#progress(detail));
  }

  /** The card; built at the first call. */
  get element() {
    if (!this.#element) this.#build();
    return this.#element;
  }

  /** Says what is being done, from a progress event of the package. */
  #progress(event) {
    setText(this.#find(".waiting"), stageText(event));
    const stage = this.#find(".stage");
    // One step is over before a bar for it is seen.
    stage.hidden = !(event.total > 1);
    stage.max = event.total ?? 1;
    stage.value = event.loaded;
  }

  /** Writes numbers and verdicts anew, in the language that is shown. */
  reword() {
    if (!this.#element) return;
    const { error, result } = this.photo;
    if (error) showProblem(this.#find(".problem"), error);
    if (!result) return;
    this.#paintBars();
    this.#paintOod();
  }

  /** Takes the card off the page. */
  remove() {
    this.#element?.remove();
    this.#removed = true;
  }

  #find(selector) {
    return this.#element.querySelector(selector);
  }

  #build() {
    this.#element = cardTemplate.content.cloneNode(true).firstElementChild;
    this.#bars = this.#find(".bars");
    this.#more = this.#find(".more");
    this.#find(".file bdi").textContent = this.photo.name;
    const remove = this.#find(".remove");
    setMessage(remove, "photos.remove", { name: this.photo.name }, "aria-label");
    remove.addEventListener("click", () => this.#session.remove(this.photo));
    this.#more.addEventListener("click", () => {
      this.#all = !this.#all;
      this.#paintBars();
    });
    this.#heat = new Heat(this.#element, (method) => this.#session.explain(this.photo, method));
    void this.#preview();
    this.#paint();
  }

  /** Everything that depends on the state. */
  #paint() {
    const { state, result, error, waitsFor } = this.photo;
    this.#element.dataset.state = state;
    this.#element.setAttribute("aria-busy", String(state === "waiting"));
    this.#find(".stage").hidden = true;
    showProblem(this.#find(".problem"), state === "failed" ? error : null);
    const waiting = this.#find(".waiting");
    if (state === "waiting") setMessage(waiting, WAITING[waitsFor.reason]);
    else if (state === "stopped") setMessage(waiting, "card.stopped");
    else setText(waiting);
    this.#heat.ready(state === "done" ? result.predictions.length : 0);
    if (state === "done") this.#paintAnswer();
    else if (state === "failed") this.#paintFailure();
    else this.#paintWaiting();
  }

  #paintWaiting() {
    const { rows, tuned } = this.photo.waitsFor;
    setText(this.#find(".ran"));
    this.#more.hidden = true;
    this.#find(".tuned").hidden = !tuned;
    // A result that is being computed again stays readable, dimmed, until the new one is there.
    if (this.photo.result) return;
    this.#find(".ood").hidden = false;
    this.#columns(tuned, "room");
    const room = Math.min(rows, FEW);
    const { childElementCount, firstElementChild } = this.#bars;
    if (childElementCount === room && firstElementChild?.classList.contains("pair") === tuned) return;
    this.#bars.replaceChildren(...Array.from({ length: room }, () => emptyBar(tuned)));
  }

  /** The headings over two bars in a row: shown, or only their room. */
  #columns(there, as) {
    const columns = this.#find(".columns");
    columns.hidden = !there;
    columns.dataset.as = as;
  }

  #paintAnswer() {
    this.#paintBars();
    this.#paintOod();
    const { result, answered } = this.photo;
    const { tuning, timings, reducedBy, decodedBy } = result;
    const tuned = this.#find(".tuned");
    tuned.hidden = !tuning;
    tuned.replaceChildren(...(tuning ? tuningReport(result, answered.method) : []));
    const words = { device: deviceName(answered.device), time: () => duration(timings.total), by: reducedBy };
    const how = decodedBy ? "card.ran-browser" : "card.ran";
    setMessage(this.#find(".ran"), reducedBy ? "card.ran-reduced" : how, words);
  }

  #paintFailure() {
    this.#paintBars();
    setText(this.#find(".ran"));
    this.#find(".ood").hidden = true;
    this.#find(".tuned").hidden = true;
  }

  #paintOod() {
    const { ood } = this.photo.result;
    const place = this.#find(".ood");
    place.hidden = !ood;
    place.replaceChildren(...(ood ? gauge(ood) : []));
  }

  #paintBars() {
    const { predictions = [], tuning } = this.photo.result ?? {};
    const before = tuning && new Map(tuning.predictionsBefore.map(({ label, probability }) => [label, probability]));
    const shown = this.#all ? predictions : predictions.slice(0, FEW);
    this.#bars.replaceChildren(
      ...shown.map((prediction) => (before ? pairOfBars(prediction, before.get(prediction.label)) : bar(prediction))),
    );
    this.#columns(Boolean(before), "shown");
    this.#more.hidden = predictions.length <= FEW;
    setMessage(this.#more, this.#all ? "card.fewer" : "card.all", { count: predictions.length });
    this.#more.setAttribute("aria-expanded", String(this.#all));
  }

  async #preview() {
    const { file, name } = this.photo;
    const image = await preview(file, name);
    if (image && !this.#removed) this.#find(".thumb-none").replaceWith(image);
  }
}
