/** The settings as an address: everything that decides an answer but the photos. */
import { announce } from "../ui/announce.js";
import { setOrder } from "./gallery.js";
import { say, t } from "../ui/i18n.js";
import { setEdits } from "./negatives.js";
import { list } from "../ui/settings.js";

const button = document.getElementById("permalink");
const tune = document.getElementById("tune");
const score = document.getElementById("score");
const template = document.getElementById("template");
const gallery = document.getElementById("gallery");

/** Controls of the Tune drawer, by the parameter that they stand for. */
const STEPS = document.getElementById("tune-steps");
const SEED = document.getElementById("tune-seed");
/** Words that the reader took away from those found for "none of these", and put to them. */
const EDITS = ["struck", "added"];

/**
 * Puts the settings of an address into the page's controls, before anybody listens to them. What is
 * not understood is left at its default.
 *
 * @param {string} search
 */
export function restore(search) {
  const query = new URLSearchParams(search);
  const has = (name) => query.has(name) && query.get(name).length < 10_000;
  if (has("template")) template.value = query.get("template");
  const radio = (name) => {
    const inputs = [...tune.querySelectorAll(`input[name="${name}"]`)];
    const wanted = inputs.find(({ value }) => value === query.get(name));
    if (wanted) wanted.checked = true;
  };
  radio("tune");
  radio("views");
  if (has("steps")) STEPS.value = query.get("steps");
  if (has("seed")) SEED.value = query.get("seed");
  gallery.checked = query.get("gallery") === "true";
  const named = [...score.options].some(({ value }) => value === query.get("ood"));
  if (has("ood") && (named || query.get("ood") === "none")) score.value = named ? query.get("ood") : "";
  setEdits(Object.fromEntries(EDITS.filter(has).map((name) => [name, list(query.get(name))])));
  if (has("sort")) setOrder(query.get("sort"));
  if (query.has("tune")) tune.dispatchEvent(new Event("change"));
}

/**
 * The address that holds `settings`.
 *
 * @param {object} settings
 * @param {string[]} settings.labels
 * @param {string} settings.template
 * @param {object} settings.tune
 * @param {{ood: string | false}} settings.ood
 * @param {{struck: string[], added: string[]}} settings.edits
 * @param {string} settings.order
 * @param {string | File[]} settings.model files have no address, and are left out
 * @param {string} [settings.weights] the first digits of the SHA-256 of the model's source weights
 * @param {string} [settings.quantization]
 * @param {string} settings.device
 * @param {string} settings.language
 */
export function addressOf({ labels, template: sentence, tune: how, ood, edits, order, model, weights, quantization, device, language }) {
  const url = new URL(location.pathname, location.href);
  const query = url.searchParams;
  query.set("labels", joined(labels));
  query.set("template", sentence);
  for (const [name, value] of Object.entries(how)) query.set(name, String(value));
  query.set("ood", ood.ood || "none");
  for (const name of EDITS) if (edits[name].length > 0) query.set(name, joined(edits[name]));
  if (order !== "newest") query.set("sort", order);
  if (typeof model === "string") query.set("model", model);
  if (typeof model === "string" && weights) query.set("weights", weights);
  if (typeof model === "string" && quantization) query.set("quantization", quantization);
  query.set("device", device);
  query.set("lang", language);
  return url.href;
}

/** Names with commas between; one may hold a comma itself. */
const joined = (names) => (names.some((name) => name.includes(",") || name.startsWith("[")) ? JSON.stringify(names) : names.join(","));

/** What decides the answers and lies in no address, in sentences. */
function lacking({ model, prompt, ood }) {
  const all = { model: typeof model !== "string", prompt: prompt !== null, words: ood.negatives !== undefined };
  return Object.keys(all).filter((what) => all[what]).map((what) => t(`permalink.without-${what}`));
}

/** Copies the address that `collect` gives settings for, and shows it in the browser's own bar. */
export function onPermalink(collect) {
  button.addEventListener("click", async () => {
    const settings = collect();
    const address = addressOf(settings);
    const tell = (key) => announce([t(key), ...lacking(settings)].join(" "));
    history.replaceState(null, "", address);
    try {
      await navigator.clipboard.writeText(address);
      say(button, "results.copied");
      tell("permalink.copied");
    } catch {
      say(button, "permalink.shown");
      tell("permalink.shown-aloud");
    }
    setTimeout(() => say(button, "permalink.copy"), 2000);
  });
}
