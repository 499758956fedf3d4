import { bar, emptyBar, pairOfBars } from "./bars.js";
import { duration } from "./format.js";
import { gauge } from "./gauge.js";
import { plain, say, t } from "./i18n.js";
import { showProblem } from "./problem.js";
import { stageText } from "./stages.js";
import { tuningReport } from "./tuning.js";

const cardTemplate = document.getElementById("card-template");

/** Bars shown until the reader asks for all. */
const FEW = 5;
/** Larger pictures are not previewed: a browser would decode them whole. */
const MAX_PREVIEW_PIXELS = 50e6;

/** One photo on the page: its preview and its result, or what went wrong with it. */
export class Card {
  #bars;
  #more;
  #url;
  #all = false;

  /** The answer, also while it is computed anew. @type {import("../pkg/index.js").Result | null} */
  result = null;
  /** Why there is no answer. @type {{code: string, message: string} | null} */
  error = null;

  /**
   * @param {File} file
   * @param {(card: Card) => void} onRemove
   */
  constructor(file, onRemove) {
    this.file = file;
    this.name = file.name || t("photos.pasted");
    this.element = cardTemplate.content.cloneNode(true).firstElementChild;
    this.#bars = this.#find(".bars");
    this.#more = this.#find(".more");
    this.#find(".file bdi").textContent = this.name;
    const remove = this.#find(".remove");
    say(remove, "photos.remove", { name: this.name }, "aria-label");
    remove.addEventListener("click", () => onRemove(this));
    this.#more.addEventListener("click", () => {
      this.#all = !this.#all;
      this.#renderBars();
    });
    this.#preview();
  }

  /** Whether the answer holds for the settings as they are. */
  get done() {
    return this.element.dataset.state === "done";
  }

  /**
   * The photo waits for `reason`, a message's key, with room kept for `rows` bars and a report on tuning so that
   * nothing moves later.
   */
  wait(reason, rows, tuned) {
    this.#setState("waiting");
    say(this.#find(".waiting"), reason);
    plain(this.#find(".ran"));
    this.error = null;
    showProblem(this.#find(".problem"), null);
    this.#more.hidden = true;
    this.#find(".tuned").hidden = !tuned;
    // A result that is being computed again stays readable, dimmed, until the new one is there.
    const room = Math.min(rows, FEW);
    if (this.result || this.#bars.childElementCount === room) return;
    this.#bars.replaceChildren(...Array.from({ length: room }, emptyBar));
  }

  /** Says what is being done, from a progress event of the package. */
  progress(event) {
    plain(this.#find(".waiting"), stageText(event));
    const stage = this.#find(".stage");
    // One step is over before a bar for it is seen.
    stage.hidden = !(event.total > 1);
    stage.max = event.total ?? 1;
    stage.value = event.loaded;
  }

  /** The photo has no answer for now, because the reader stopped the work. */
  stop() {
    this.#setState("stopped");
    say(this.#find(".waiting"), "card.stopped");
  }

  /**
   * Shows an answer.
   *
   * @param {import("../pkg/index.js").Result} result
   * @param {string} method how it was tuned
   * @param {string} device what computed it
   */
  show(result, method, device) {
    this.#setState("done");
    showProblem(this.#find(".problem"), null);
    this.result = result;
    this.#renderBars();
    this.judge(result.ood);
    const { tuning, timings } = result;
    const tuned = this.#find(".tuned");
    tuned.hidden = !tuning;
    tuned.replaceChildren(...(tuning ? tuningReport(result, method) : []));
    // Hundreds of photos with their views would fill the memory; they are drawn by now.
    for (const view of tuning?.keptViews ?? []) view.thumbnail = null;
    say(this.#find(".ran"), "card.ran", { device, time: () => duration(timings.total) });
  }

  /** Shows a rejection score with its verdict as part of the answer. */
  judge(ood) {
    this.result.ood = ood;
    const place = this.#find(".ood");
    place.hidden = !ood;
    place.replaceChildren(...(ood ? gauge(ood) : []));
  }

  /** Shows why this photo has no answer. */
  fail(error) {
    this.#setState("failed");
    this.result = null;
    this.error = error;
    this.#renderBars();
    plain(this.#find(".ran"));
    this.#find(".ood").hidden = true;
    this.#find(".tuned").hidden = true;
    showProblem(this.#find(".problem"), error);
  }

  /** Writes numbers and verdicts anew, in the language that is shown. */
  reword() {
    if (!this.result) return;
    this.#renderBars();
    this.judge(this.result.ood);
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
    plain(this.#find(".waiting"));
    this.#find(".stage").hidden = true;
  }

  #renderBars() {
    const { predictions = [], tuning } = this.result ?? {};
    const before = tuning && new Map(tuning.predictionsBefore.map(({ label, probability }) => [label, probability]));
    const shown = this.#all ? predictions : predictions.slice(0, FEW);
    this.#bars.replaceChildren(
      ...shown.map((prediction) => (before ? pairOfBars(prediction, before.get(prediction.label)) : bar(prediction))),
    );
    this.#find(".columns").hidden = !before;
    this.#more.hidden = predictions.length <= FEW;
    say(this.#more, this.#all ? "card.fewer" : "card.all", { count: predictions.length });
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
