/** The models that can be chosen: those beside the page, those of the package's table, and what else is kept. */
import { PromptLens } from "../pkg/index.js";
import { integer, isolate, megabytes } from "./format.js";
import { known, t } from "./i18n.js";
import { LOCAL } from "./local.js";
import { needs, suggested, thisDevice } from "./suggest.js";

/** Stands for the address of files that the user chose. */
export const FILES = "files:";

/** Whether this page was built to ask a hub at all. */
const hasHub = document.querySelector("meta[name=promptlens-hub]").content !== "";

/** A model's address as `stored()` gives it. */
export function addressOf(model) {
  return typeof model === "string" ? PromptLens.models.address(model) : FILES;
}

/** An address for links, in which models beside the page are named from there, so that the page can move. */
export function linkOf(address) {
  const here = new URL("./", document.baseURI).href;
  if (address === FILES) return null;
  return address.startsWith(here) ? `./${address.slice(here.length)}` : address;
}

export const hubName = ({ repository }) => `hf:${repository}`;

/** What `PromptLens.load` takes for a model: the entry of the table that has that address, if there is one. */
export const modelAt = (model) => PromptLens.models.table.find((entry) => hubName(entry) === model) ?? model;

/** The entry of the table that suits this device. */
export function thatSuits(onGpu) {
  const id = suggested(thisDevice(onGpu));
  return PromptLens.models.table.find((entry) => entry.id === id);
}

/** What there is to know of a row of the table before it is loaded. */
function factsOf(entry, onGpu) {
  const { download, stored, memory } = needs(entry.parameters, onGpu);
  const facts = t("models.facts", {
    parameters: `${integer(entry.parameters / 1e6)} M`,
    size: megabytes(download),
    kept: megabytes(stored),
    memory: megabytes(memory),
    licence: entry.licence,
    repository: isolate(entry.sources[0].repository),
  });
  const marks = [
    entry === thatSuits(onGpu) && t("models.suggested"),
    known(`models.for.${entry.id}`) && t(`models.for.${entry.id}`),
    !entry.phone && t("models.no-phone"),
  ];
  return [...marks.filter(Boolean), facts].join(" · ");
}

/**
 * Everything that can be chosen.
 *
 * @param {import("../pkg/index.js").StoredModel[]} stored
 * @param {boolean} onGpu
 */
export function entries(stored, onGpu) {
  const all = [
    ...LOCAL.map(({ model, key }) => ({ model, address: model, name: t(`models.${key}`), note: t(`models.${key}-note`), local: key })),
    ...(hasHub ? PromptLens.models.table : []).map((entry) => ({
      model: entry,
      address: hubName(entry),
      name: entry.name,
      note: factsOf(entry, onGpu),
    })),
  ];
  const listed = new Set(all.map((entry) => entry.address));
  for (const { address, name } of stored) {
    if (!address || listed.has(address)) continue;
    listed.add(address);
    all.push({ model: address, address, name, note: isolate(address) });
  }
  return all.map((entry) => ({ ...entry, kept: stored.filter((kept) => kept.address === entry.address) }));
}
