import { bar } from "./bars.js";
import { percent, rate } from "./format.js";
import { verdictText } from "./gauge.js";
import { setMessage, t } from "./i18n.js";

/** Classes shown. */
const FEW = 5;
/** A name that stands first for so long is said aloud, in milliseconds. */
const STEADY = 1000;

/** The answer for what the camera shows now. */
export class LiveAnswerView {
  #root;
  #bars;
  #verdict;
  #speed;
  #aloud;
  /** What was last said aloud, and what stands there since when. */
  #said = "";
  #standing = { text: "", since: 0 };

  /** @param {HTMLElement} root */
  constructor(root) {
    this.#root = root;
    [this.#bars, this.#verdict, this.#speed, this.#aloud] = [".bars", ".verdict", ".live-speed", "[role=status]"].map((part) => root.querySelector(part));
  }

  begin() {
    this.#said = "";
    this.#standing = { text: "", since: 0 };
    this.#bars.replaceChildren();
    this.#verdict.hidden = true;
    setMessage(this.#speed, "live.wait");
    this.#root.hidden = false;
  }

  end() {
    this.#root.hidden = true;
    this.#aloud.textContent = "";
  }

  /** @param {import("../pkg/index.js").LiveAnswer} answer */
  show({ predictions, ood, framesPerSecond }) {
    this.#bars.replaceChildren(...predictions.slice(0, FEW).map(bar));
    // Without a threshold there is nothing to say with each frame.
    this.#verdict.hidden = !ood || ood.isOutlier === null;
    this.#verdict.textContent = this.#verdict.hidden ? "" : verdictText(ood);
    this.#verdict.dataset.verdict = ood?.isOutlier ? "out" : "in";
    if (framesPerSecond !== null) setMessage(this.#speed, "live.speed", { count: () => rate(framesPerSecond) });
    this.#speak(predictions[0], performance.now());
  }

  #speak({ label, probability }, now) {
    const text = `${label} ${this.#verdict.textContent}`;
    if (text !== this.#standing.text) this.#standing = { text, since: now };
    if (text === this.#said || now - this.#standing.since < STEADY) return;
    this.#said = text;
    this.#aloud.textContent = `${t("live.said", { label, percent: () => percent(probability) })} ${this.#verdict.textContent}`;
  }
}
