/** The Tune drawer: whether and how the prompt is tuned on each photo. */
import { say } from "../ui/i18n.js";

const drawer = document.getElementById("tune");
const state = document.getElementById("tune-state");
const more = document.getElementById("tune-more");
const steps = document.getElementById("tune-steps");
const seed = document.getElementById("tune-seed");
const problem = document.getElementById("tune-error");
const variants = document.getElementById("variants");

/** Gradient steps of each method where none are asked for. */
const OWN_STEPS = { tpt: 1, "difftpt-lite": 4 };
const NAMES = { tpt: "TPT", "difftpt-lite": "DiffTPT-lite" };

const chosen = (name) => drawer.querySelector(`input[name="${name}"]:checked`).value;

function read() {
  const tune = chosen("tune");
  if (tune === "none") return { tune };
  return {
    tune,
    views: Number(chosen("views")),
    steps: steps.value === "" ? OWN_STEPS[tune] : steps.valueAsNumber,
    seed: seed.valueAsNumber,
  };
}

let current = { tune: "none" };

/** The options of `classify` that this drawer decides. */
export const getTune = () => ({ ...current });

function render() {
  const { tune, views } = current;
  say(state, tune === "none" ? "tune.off" : "tune.on", { method: NAMES[tune], views });
  drawer.toggleAttribute("data-on", tune !== "none");
}

/** Calls `changed` whenever the options are others than before. */
export function onTune(changed) {
  drawer.addEventListener("change", () => {
    const tune = chosen("tune");
    more.hidden = tune === "none";
    variants.hidden = tune !== "difftpt-lite";
    steps.placeholder = String(OWN_STEPS[tune] ?? OWN_STEPS.tpt);
    const wrong = tune === "none" ? undefined : [steps, seed].find((field) => !field.validity.valid);
    for (const field of [steps, seed]) field.setAttribute("aria-invalid", String(field === wrong));
    problem.hidden = !wrong;
    problem.textContent = wrong ? `${wrong.labels[0].textContent}: ${wrong.validationMessage}` : "";
    if (wrong) return;
    const next = read();
    if (JSON.stringify(next) === JSON.stringify(current)) return;
    current = next;
    render();
    changed();
  });
}
