import { setMessage } from "../ui/i18n.js";
import { Panel } from "./panel.js";

/** Gradient steps of each method if none are asked for. */
const OWN_STEPS = { tpt: 1, "difftpt-lite": 4 };
const NAMES = { tpt: "TPT", "difftpt-lite": "DiffTPT-lite" };

/** Whether and how the prompt is tuned on each photo. */
export class TunePanel extends Panel {
  #steps = this.find("tune-steps");
  #seed = this.find("tune-seed");
  #problem = this.find("tune-error");

  /**
   * @param {HTMLElement} root
   * @param {import("../session.js").Session} session
   * @param {{tune: string | null, views: string | null, steps: string | null, seed: string | null}} link
   */
  constructor(root, session, link) {
    super(root, session);
    for (const name of ["tune", "views"]) {
      const wanted = [...root.querySelectorAll(`input[name="${name}"]`)].find(({ value }) => value === link[name]);
      if (wanted) wanted.checked = true;
    }
    if (link.steps !== null) this.#steps.value = link.steps;
    if (link.seed !== null) this.#seed.value = link.seed;
    root.addEventListener("change", () => this.#read());
    this.#read();
  }

  #chosen(name) {
    return this.root.querySelector(`input[name="${name}"]:checked`).value;
  }

  /** Takes the fields over, if all of them are valid. */
  #read() {
    const tune = this.#chosen("tune");
    this.find("tune-more").hidden = tune === "none";
    this.find("variants").hidden = tune !== "difftpt-lite";
    this.#steps.placeholder = String(OWN_STEPS[tune] ?? OWN_STEPS.tpt);
    const wrong = tune === "none" ? undefined : [this.#steps, this.#seed].find((field) => !field.validity.valid);
    for (const field of [this.#steps, this.#seed]) field.setAttribute("aria-invalid", String(field === wrong));
    this.#problem.hidden = !wrong;
    this.#problem.textContent = wrong ? `${wrong.labels[0].textContent}: ${wrong.validationMessage}` : "";
    if (!wrong) this.#use(tune);
  }

  #use(tune) {
    const views = Number(this.#chosen("views"));
    const steps = this.#steps.value === "" ? OWN_STEPS[tune] : this.#steps.valueAsNumber;
    setMessage(this.find("tune-state"), tune === "none" ? "tune.off" : "tune.on", { method: NAMES[tune], views });
    this.root.toggleAttribute("data-on", tune !== "none");
    this.session.setTune(tune === "none" ? { tune } : { tune, views, steps, seed: this.#seed.valueAsNumber });
  }
}
