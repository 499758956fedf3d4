/** The widget's inside: what is in its shadow, and how results are shown there. It decides nothing. */
import { drawHeatmap, middleSquare } from "../heatmap.js";
import { preview } from "./preview.js";
import { style } from "./style.js";

/** Bars shown. */
const FEW = 5;

/** An element with attributes and children; text is never read as markup. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export class View {
  /** Stands for the photo in hand: the picture of an earlier one may load after it. @type {object | null} */
  #shown = null;
  #map = null;
  /** What was last said of a frame. */
  #said = "";
  /** What is wrong. @type {{code: string, message: string} | null} */
  #problem = null;

  /**
   * @param {ShadowRoot} root
   * @param {{files: (files: File[]) => void, camera: () => void, shoot: () => void, close: () => void, retry: () => void}} handlers
   */
  constructor(root, handlers) {
    root.adoptedStyleSheets = [style()];
    this.title = make("strong");
    this.hint = make("small");
    this.input = make("input", { type: "file", accept: "image/jpeg,image/png,image/webp,image/gif,image/bmp,image/avif,image/heic", part: "input" });
    this.photo = make("div", { class: "seen", part: "photo" });
    this.prompt = make("span", {}, make("slot", { name: "choose" }, this.title, this.hint));
    this.drop = make("label", { class: "drop", part: "drop" }, this.prompt, this.photo, this.input);
    this.video = make("video", { part: "camera", playsinline: "", hidden: "" });
    this.video.muted = true;
    this.open = make("button", { type: "button", part: "button", hidden: "" });
    this.shoot = make("button", { type: "button", part: "button", hidden: "" });
    this.close = make("button", { type: "button", part: "button", hidden: "" });
    this.retry = make("button", { type: "button", part: "button", hidden: "" });
    this.status = make("p", { class: "status", part: "status" });
    this.progress = make("progress", { part: "progress", hidden: "" });
    this.error = make("p", { class: "error", part: "error", role: "alert", hidden: "" });
    this.bars = make("ol", { part: "results" });
    this.verdict = make("p", { class: "verdict", part: "verdict", hidden: "" });
    this.aloud = make("div", { class: "aloud", role: "status" });
    this.box = make(
      "div",
      { class: "box", part: "box" },
      make("slot", { name: "header" }),
      this.drop,
      this.video,
      make("div", { class: "row" }, this.open, this.shoot, this.close),
      this.status,
      this.progress,
      this.error,
      make("div", { class: "row" }, this.retry),
      this.bars,
      this.verdict,
      make("slot"),
      this.aloud,
    );
    root.append(this.box);

    this.input.addEventListener("change", () => {
      handlers.files([...this.input.files]);
      this.input.value = "";
    });
    const over = (event, is) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      this.drop.classList.toggle("over", is);
    };
    this.drop.addEventListener("dragover", (event) => over(event, true));
    this.drop.addEventListener("dragleave", (event) => over(event, false));
    this.drop.addEventListener("drop", (event) => {
      over(event, false);
      handlers.files([...(event.dataTransfer?.files ?? [])]);
    });
    this.drop.addEventListener("paste", (event) => handlers.files([...(event.clipboardData?.files ?? [])]));
    this.open.addEventListener("click", handlers.camera);
    this.shoot.addEventListener("click", handlers.shoot);
    this.close.addEventListener("click", handlers.close);
    this.retry.addEventListener("click", handlers.retry);
  }

  /** Shows every text that does not change, in the language of `say`. */
  speak({ code, say, explain }) {
    this.say = say;
    this.explain = explain;
    this.box.lang = code;
    this.percent = new Intl.NumberFormat(code, { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });
    this.rate = new Intl.NumberFormat(code, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
    this.title.textContent = say("choose");
    this.hint.textContent = say("hint");
    this.open.textContent = say("camera");
    this.shoot.textContent = say("shoot");
    this.close.textContent = say("close");
    this.retry.textContent = say("retry");
    this.bars.setAttribute("aria-label", say("results"));
    this.#complain();
  }

  /** Keeps the room that the bars of `count` names will take. */
  reserve(count) {
    this.bars.style.setProperty("--_room", `${Math.min(count, FEW) * 2}rem`);
  }

  /** One step of loading; `null` once it is over. */
  loading(event) {
    // The other steps are short; their share says nothing about the whole.
    const share = event?.stage === "weights" && event.total ? event.loaded / event.total : null;
    this.progress.hidden = event === null;
    this.box.setAttribute("aria-busy", String(event !== null));
    if (share === null) this.progress.removeAttribute("value");
    else this.progress.value = share;
    this.status.textContent = event === null ? "" : share === null ? this.say("waiting") : this.say("loading", { percent: this.percent.format(share) });
    this.progress.setAttribute("aria-label", this.status.textContent);
  }

  /** The photo in hand, before its result. */
  working(blob) {
    this.fail(null);
    this.#map = null;
    this.status.textContent = this.say("looking");
    const shown = {};
    this.#shown = shown;
    if (!blob) return;
    void preview(blob, blob.name ?? this.say("photo")).then((image) => {
      if (!image || this.#shown !== shown) return;
      this.prompt.hidden = true;
      this.photo.replaceChildren(image);
      this.#overlay();
    });
  }

  /** A result. */
  show(result) {
    this.status.textContent = "";
    this.#paint(result);
    this.aloud.textContent = this.#sentence(result);
    this.#map = result.heatmap;
    this.#overlay();
  }

  /** The answer for a frame: it is said aloud only when another name, or another verdict, stands first. */
  showLive(answer) {
    const { framesPerSecond } = answer;
    this.status.textContent = framesPerSecond === null ? "" : this.say("speed", { count: this.rate.format(framesPerSecond) });
    this.#paint(answer);
    const said = `${answer.predictions[0].label} ${answer.ood?.isOutlier}`;
    if (said !== this.#said) this.aloud.textContent = this.#sentence(answer);
    this.#said = said;
  }

  #sentence({ predictions: [{ label, probability }] }) {
    return `${this.say("answer", { label, percent: this.percent.format(probability) })} ${this.verdict.textContent}`;
  }

  #paint({ predictions, ood }) {
    this.bars.replaceChildren(
      ...predictions.slice(0, FEW).map(({ label, probability }) => {
        const fill = make("span", { class: "fill", part: "fill" });
        fill.style.setProperty("--_share", String(probability));
        return make(
          "li",
          { part: "bar" },
          make("span", { class: "name", part: "name" }, make("bdi", {}, label)),
          make("span", { class: "track", part: "track", "aria-hidden": "true" }, fill),
          make("span", { class: "share", part: "share" }, this.percent.format(probability)),
        );
      }),
    );
    const judged = ood?.isOutlier ?? null;
    this.verdict.hidden = judged === null;
    this.verdict.classList.toggle("out", judged === true);
    this.verdict.textContent = judged === null ? "" : this.say(judged ? "outlier" : "inlier");
  }

  /** Shows what is wrong; the engine's own sentence, with the details, is English. */
  #complain() {
    const error = this.#problem;
    const sentence = error ? this.explain(error) : "";
    this.error.hidden = !error;
    this.error.textContent = error ? `${sentence} (${error.code})` : "";
    this.error.title = error && error.message !== sentence ? error.message : "";
  }

  /** An error's sentence, or none. */
  fail(error, again = false) {
    this.#problem = error;
    this.#complain();
    this.retry.hidden = !again;
    if (!error) return;
    this.status.textContent = "";
    this.bars.replaceChildren();
    this.verdict.hidden = true;
  }

  /** Forgets the photo. */
  clear() {
    this.#shown = null;
    this.#map = null;
    this.photo.replaceChildren();
    this.prompt.hidden = false;
    this.bars.replaceChildren();
    this.verdict.hidden = true;
    this.fail(null);
  }

  /** Shows the heat map over the photo, once both are there. */
  #overlay() {
    const image = this.photo.querySelector("img");
    this.photo.querySelector("canvas")?.remove();
    if (!this.#map || !image) return;
    const canvas = make("canvas", { part: "heatmap", role: "img", "aria-label": this.say("map", { label: this.#map.label }) });
    drawHeatmap(canvas, this.#map);
    const { naturalWidth: width, naturalHeight: height } = image;
    const { left, top, side } = middleSquare(width, height);
    canvas.style.left = `${(100 * left) / width}%`;
    canvas.style.top = `${(100 * top) / height}%`;
    canvas.style.width = `${(100 * side) / width}%`;
    canvas.style.height = `${(100 * side) / height}%`;
    this.photo.append(canvas);
  }
}
