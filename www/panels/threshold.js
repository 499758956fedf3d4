import { score as format } from "../ui/format.js";
import { setMessage } from "../ui/i18n.js";
import { Panel } from "./panel.js";

/** Steps of the slider from the lowest to the highest. */
const STEPS = 200;

/** A threshold of the user's own, in place of the calibrated one: for this page only, never kept. */
export class ThresholdPanel extends Panel {
  #slider = this.find("threshold-slider");
  #output = this.find("threshold-value");
  #reset = this.find("threshold-reset");

  constructor(root, session) {
    super(root, session);
    this.#slider.addEventListener("input", () => session.rejection.setThreshold(this.#slider.valueAsNumber));
    this.#reset.addEventListener("click", () => {
      session.rejection.setThreshold(null);
      this.#slider.focus();
    });
  }

  /**
   * Fits the slider to the scores seen.
   *
   * @param {import("../pkg/index.js").Ood[]} seen
   * @param {number} low the lowest place of the histogram
   * @param {number} high its highest
   */
  show(seen, low, high) {
    this.root.hidden = seen.length === 0;
    if (seen.length === 0) return;
    const threshold = seen.find((ood) => ood.threshold !== null)?.threshold ?? null;
    const own = this.session.rejection.threshold !== null;
    const slider = this.#slider;
    // A slider that is being moved keeps its ends under the hand.
    if (document.activeElement !== slider || slider.max === slider.min) {
      slider.step = String((high - low) / STEPS);
      slider.min = String(low);
      slider.max = String(high);
    }
    slider.value = String(threshold ?? low);
    const below = seen.filter(({ isOutlier }) => isOutlier).length;
    const words = { threshold: () => format(threshold), below, count: seen.length };
    if (threshold === null) setMessage(this.#output, "threshold.none");
    else setMessage(this.#output, own ? "threshold.own" : "threshold.calibrated", words);
    slider.setAttribute("aria-valuetext", this.#output.textContent);
    this.#reset.hidden = !own;
    const calibrated = seen.some((ood) => (ood.calibrated?.threshold ?? null) !== null);
    setMessage(this.#reset, calibrated ? "threshold.reset" : "threshold.undo");
  }
}
