import { setMessage } from "../ui/i18n.js";
import { Panel } from "./panel.js";

/** Gradient steps of each method if none are asked for. */
const OWN_STEPS = { tpt: 1, "difftpt-lite": 4 };
/** Views in all, if none are asked for. */
const VIEWS = 64;
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
    this.on("settings", () => this.#show());
    this.#read();
  }

  #chosen(name) {
    return this.root.querySelector(`input[name="${name}"]:checked`)?.value;
  }

  /** Shows settings that came from a classifier file, which may have a number of views that is not offered here. */
  #show() {
    const { tune, views = VIEWS, steps, seed = 0 } = this.session.tune;
    for (const [name, value] of Object.entries({ tune, views: String(views) })) {
      for (const input of this.root.querySelectorAll(`input[name="${name}"]`)) input.checked = input.value === value;
    }
    this.#steps.value = steps === undefined || steps === OWN_STEPS[tune] ? "" : String(steps);
    this.#seed.value = String(seed);
    this.#describe(tune, views);
  }

  /** Takes the fields over, if all of them are valid. */
  #read() {
    const tune = this.#chosen("tune");
    const views = Number(this.#chosen("views") ?? this.session.tune.views ?? VIEWS);
    this.#describe(tune, views);
    const wrong = tune === "none" ? undefined : [this.#steps, this.#seed].find((field) => !field.validity.valid);
    for (const field of [this.#steps, this.#seed]) field.setAttribute("aria-invalid", String(field === wrong));
    this.#problem.hidden = !wrong;
    this.#problem.textContent = wrong ? `${wrong.labels[0].textContent}: ${wrong.validationMessage}` : "";
    if (!wrong) this.#use(tune, views);
  }

  #describe(tune, views) {
    this.find("tune-more").hidden = tune === "none";
    this.find("variants").hidden = tune !== "difftpt-lite";
    this.#steps.placeholder = String(OWN_STEPS[tune] ?? OWN_STEPS.tpt);
    setMessage(this.find("tune-state"), tune === "none" ? "tune.off" : "tune.on", { method: NAMES[tune], views });
    this.root.toggleAttribute("data-on", tune !== "none");
  }

  #use(tune, views) {
    const steps = this.#steps.value === "" ? OWN_STEPS[tune] : this.#steps.valueAsNumber;
    this.session.setTune(tune === "none" ? { tune } : { tune, views, steps, seed: this.#seed.valueAsNumber });
  }
}
