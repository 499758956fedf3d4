import { upright } from "../pkg/upright.js";
import { bar, emptyBar, pairOfBars } from "./bars.js";
import { duration } from "./format.js";
import { gauge } from "./gauge.js";
import { Heat } from "./heat.js";
import { plain, say, t } from "./i18n.js";
import { showProblem } from "./problem.js";
import { stageText } from "./stages.js";
import { tuningReport } from "./tuning.js";

const cardTemplate = document.getElementById("card-template");

/** Bars shown until the reader asks for all. */
const FEW = 5;
/** Larger pictures are not previewed: a browser would decode them whole. */
const MAX_PREVIEW_PIXELS = 50e6;

/**
 * One photo: its preview and its result, or what went wrong with it. The element is built when it is
 * first shown, because hundreds of photos are shown as tiles instead.
 */
export class Card {
  /** @type {HTMLElement | null} */
  #element = null;
  #bars;
  #more;
  #url = "";
  #removed = false;
  #all = false;
  #does;
  #heat;
  #waiting = { reason: "card.line", rows: 0, tuned: false };
  #answered = { method: "none", device: "" };

  /** `"waiting"`, `"stopped"`, `"done"` or `"failed"`. */
  state = "waiting";
  /** The answer, also while it is computed anew. @type {import("../pkg/index.js").Result | null} */
  result = null;
  /** Why there is no answer. @type {{code: string, message: string} | null} */
  error = null;
  /** Called after each change, for those who show the photo elsewhere. */
  onChange = () => {};

  /**
   * @param {File} file
   * @param {{remove: (card: Card) => void, explain: (card: Card, method: string) => Promise<object>}} does
   */
  constructor(file, does) {
    this.file = file;
    this.name = file.name || t("photos.pasted");
    this.#does = does;
  }

  /** Whether the answer holds for the settings as they are. */
  get done() {
    return this.state === "done";
  }

  /** The card; built at the first call. */
  get element() {
    if (!this.#element) this.#build();
    return this.#element;
  }

  /**
   * The photo waits for `reason`, a message's key, with room kept for `rows` bars and a report on
   * tuning so that nothing moves later.
   */
  wait(reason, rows, tuned) {
    const same = this.state === "waiting" && this.#waiting.reason === reason && this.#waiting.rows === rows && this.#waiting.tuned === tuned;
    this.#waiting = { reason, rows, tuned };
    if (same && !this.error) return;
    this.error = null;
    this.#become("waiting");
  }

  /** Says what is being done, from a progress event of the package. */
  progress(event) {
    if (!this.#element) return;
    plain(this.#find(".waiting"), stageText(event));
    const stage = this.#find(".stage");
    // One step is over before a bar for it is seen.
    stage.hidden = !(event.total > 1);
    stage.max = event.total ?? 1;
    stage.value = event.loaded;
  }

  /** The photo has no answer for now, because the reader stopped the work. */
  stop() {
    if (this.state !== "stopped") this.#become("stopped");
  }

  /**
   * Shows an answer.
   *
   * @param {import("../pkg/index.js").Result} result
   * @param {string} method how it was tuned
   * @param {string} device what computed it
   */
  show(result, method, device) {
    this.result = result;
    this.error = null;
    this.#answered = { method, device };
    this.#become("done");
    // Hundreds of photos with their views would fill the memory; they are drawn by now, or never.
    for (const view of result.tuning?.keptViews ?? []) view.thumbnail = null;
  }

  /** Shows a rejection score with its verdict as part of the answer. */
  judge(ood) {
    this.result.ood = ood;
    if (this.#element) this.#paintOod();
    this.onChange();
  }

  /** Shows why this photo has no answer. */
  fail(error) {
    this.result = null;
    this.error = error;
    this.#become("failed");
  }

  /** Writes numbers and verdicts anew, in the language that is shown. */
  reword() {
    this.onChange();
    if (!this.#element) return;
    if (this.error) showProblem(this.#find(".problem"), this.error);
    if (!this.result) return;
    this.#paintBars();
    this.#paintOod();
  }

  /** Takes the card off the page. */
  remove() {
    this.#element?.remove();
    this.onChange = () => {};
    this.#removed = true;
    URL.revokeObjectURL(this.#url);
  }

  #find(selector) {
    return this.#element.querySelector(selector);
  }

  #become(state) {
    this.state = state;
    if (this.#element) this.#paint();
    this.onChange();
  }

  #build() {
    this.#element = cardTemplate.content.cloneNode(true).firstElementChild;
    this.#bars = this.#find(".bars");
    this.#more = this.#find(".more");
    this.#find(".file bdi").textContent = this.name;
    const remove = this.#find(".remove");
    say(remove, "photos.remove", { name: this.name }, "aria-label");
    remove.addEventListener("click", () => this.#does.remove(this));
    this.#more.addEventListener("click", () => {
      this.#all = !this.#all;
      this.#paintBars();
    });
    this.#heat = new Heat(this.#element, (method) => this.#does.explain(this, method));
    void this.#preview();
    this.#paint();
  }

  /** Everything that depends on the state. */
  #paint() {
    const { state, result, error } = this;
    this.#element.dataset.state = state;
    this.#element.setAttribute("aria-busy", String(state === "waiting"));
    this.#find(".stage").hidden = true;
    showProblem(this.#find(".problem"), state === "failed" ? error : null);
    const waiting = this.#find(".waiting");
    if (state === "waiting") say(waiting, this.#waiting.reason);
    else if (state === "stopped") say(waiting, "card.stopped");
    else plain(waiting);
    this.#heat.ready(state === "done" ? result.predictions.length : 0);
    if (state === "done") this.#paintAnswer();
    else if (state === "failed") this.#paintFailure();
    else this.#paintWaiting();
  }

  #paintWaiting() {
    const { rows, tuned } = this.#waiting;
    plain(this.#find(".ran"));
    this.#more.hidden = true;
    this.#find(".tuned").hidden = !tuned;
    // A result that is being computed again stays readable, dimmed, until the new one is there.
    if (this.result) return;
    this.#find(".ood").hidden = false;
    this.#columns(tuned, "room");
    const room = Math.min(rows, FEW);
    const { childElementCount, firstElementChild } = this.#bars;
    if (childElementCount === room && firstElementChild?.classList.contains("pair") === tuned) return;
    this.#bars.replaceChildren(...Array.from({ length: room }, () => emptyBar(tuned)));
  }

  /** What stands over two bars in a row: shown, or only its room. */
  #columns(there, as) {
    const columns = this.#find(".columns");
    columns.hidden = !there;
    columns.dataset.as = as;
  }

  #paintAnswer() {
    this.#paintBars();
    this.#paintOod();
    const { tuning, timings, reducedBy, decodedBy } = this.result;
    const { method, device } = this.#answered;
    const tuned = this.#find(".tuned");
    tuned.hidden = !tuning;
    tuned.replaceChildren(...(tuning ? tuningReport(this.result, method) : []));
    const words = { device, time: () => duration(timings.total), by: reducedBy };
    const how = decodedBy ? "card.ran-browser" : "card.ran";
    say(this.#find(".ran"), reducedBy ? "card.ran-reduced" : how, words);
  }

  #paintFailure() {
    this.#paintBars();
    plain(this.#find(".ran"));
    this.#find(".ood").hidden = true;
    this.#find(".tuned").hidden = true;
  }

  #paintOod() {
    const { ood } = this.result;
    const place = this.#find(".ood");
    place.hidden = !ood;
    place.replaceChildren(...(ood ? gauge(ood) : []));
  }

  #paintBars() {
    const { predictions = [], tuning } = this.result ?? {};
    const before = tuning && new Map(tuning.predictionsBefore.map(({ label, probability }) => [label, probability]));
    const shown = this.#all ? predictions : predictions.slice(0, FEW);
    this.#bars.replaceChildren(
      ...shown.map((prediction) => (before ? pairOfBars(prediction, before.get(prediction.label)) : bar(prediction))),
    );
    this.#columns(Boolean(before), "shown");
    this.#more.hidden = predictions.length <= FEW;
    say(this.#more, this.#all ? "card.fewer" : "card.all", { count: predictions.length });
    this.#more.setAttribute("aria-expanded", String(this.#all));
  }

  async #preview() {
    const image = new Image();
    image.alt = this.name;
    image.decoding = "async";
    // Loaded means that the size is known; decoding starts only once the picture is on the page.
    image.addEventListener("load", () => {
      if (image.naturalWidth * image.naturalHeight > MAX_PREVIEW_PIXELS) return;
      this.#find(".thumb-none").replaceWith(image);
    });
    const shown = await upright(this.file);
    if (this.#removed) return;
    this.#url = URL.createObjectURL(shown);
    image.src = this.#url;
  }
}
