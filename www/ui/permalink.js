/** Settings as an address: everything that decides an answer but the photos. */
import { t } from "./i18n.js";
import { list } from "./settings.js";

/** Words that the user struck from the negative labels, and added to them. */
const EDITS = ["struck", "added"];
/** Longer values are ignored. */
const MAX_LENGTH = 10_000;

/**
 * What an address says about the controls of the page; panels ignore what they do not understand.
 *
 * @param {string} search
 */
export function readLink(search) {
  const query = new URLSearchParams(search);
  const text = (name) => (query.get(name)?.length < MAX_LENGTH ? query.get(name) : null);
  return {
    template: text("template"),
    tune: query.get("tune"),
    views: query.get("views"),
    steps: text("steps"),
    seed: text("seed"),
    gallery: query.get("gallery") === "true",
    ood: text("ood"),
    edits: Object.fromEntries(EDITS.map((name) => [name, list(text(name) ?? "")])),
    sort: text("sort"),
  };
}

/** What of the work an address can say; one that says any of it starts from nothing that is kept. */
const WORK = ["labels", "template", "ood", ...EDITS];

/** Whether an address says what to start from. @param {string} search */
export function saysStart(search) {
  const query = new URLSearchParams(search);
  return WORK.some((name) => query.has(name));
}

/**
 * What the controls of the page start from: what was kept, and the address for all else.
 *
 * @param {import("../state/record.js").Record} record
 * @param {ReturnType<typeof readLink>} link
 */
export function startsFrom({ template, score, negatives }, link) {
  const edits = negatives.struck.length + negatives.added.length > 0 ? { struck: negatives.struck, added: negatives.added } : link.edits;
  return { ...link, template: template ?? link.template, ood: score === "" ? "none" : (score ?? link.ood), edits };
}

/**
 * The address that holds `choices`.
 *
 * @param {object} choices
 * @param {string[]} choices.labels
 * @param {string} choices.template
 * @param {object} choices.tune
 * @param {{ood: string | false}} choices.ood
 * @param {{struck: string[], added: string[]}} choices.edits
 * @param {string} choices.order
 * @param {string | File[]} choices.model files have no address, and are left out
 * @param {string} [choices.weights] the first digits of the SHA-256 of the model's source weights
 * @param {string} [choices.quantization]
 * @param {string} choices.device
 * @param {string} choices.language
 */
export function addressOf({ labels, template, tune, ood, edits, order, model, weights, quantization, device, language }) {
  const url = new URL(location.pathname, location.href);
  const query = url.searchParams;
  query.set("labels", joined(labels));
  query.set("template", template);
  for (const [name, value] of Object.entries(tune)) query.set(name, String(value));
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

/** What decides the answers and no address can hold, in sentences. */
export function lacking({ model, prompt, ood, otherTemplates, temperature }) {
  const all = {
    model: typeof model !== "string",
    prompt: prompt !== null,
    words: ood.negatives !== undefined,
    sentences: otherTemplates.length > 0,
    temperature: temperature !== 1,
  };
  return Object.keys(all).filter((what) => all[what]).map((what) => t(`permalink.without-${what}`));
}
