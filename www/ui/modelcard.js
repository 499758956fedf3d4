/** The card of a model: what to know before trusting it, as a list that opens below its name. */
import { integer } from "./format.js";
import { t } from "./i18n.js";

/** @typedef {import("../pkg/index.js").ModelEntry} ModelEntry */

/** The rows of a card: pairs of a heading and a text, or a link. */
function facts(entry) {
  if (typeof entry === "string") {
    const about = ["what", "seen", "right", "terms", "use", "leaves"];
    return about.map((name) => [t(`card-of.${name}`), t(`card-of.${entry}-${name}`)]);
  }
  const { vision_config: image, text_config: text } = entry.shapes;
  const shape = {
    parameters: () => `${integer(entry.parameters / 1e6)} M`,
    side: image.image_size,
    patch: image.patch_size,
    layers: image.num_hidden_layers,
    words: text.num_hidden_layers,
  };
  const [{ repository }] = entry.sources;
  return [
    [t("card-of.what"), t("card-of.hub-what", shape)],
    [t("card-of.terms"), entry.licence],
    [t("card-of.source"), link(repository)],
    [t("card-of.hash"), t("card-of.hub-hash")],
    [t("card-of.use"), t("card-of.hub-use")],
    [t("card-of.leaves"), t("card-of.hub-leaves")],
  ];
}

/** The hub's page of a repository, which has the makers' own card. */
function link(repository) {
  const made = document.createElement("a");
  made.href = `https://huggingface.co/${repository}`;
  made.rel = "noreferrer";
  made.target = "_blank";
  made.textContent = repository;
  return made;
}

/**
 * @param {string} name
 * @param {ModelEntry | string} entry for a model beside the page, what its messages are called
 */
export function modelCard(name, entry) {
  const card = document.createElement("details");
  card.className = "model-card";
  const summary = document.createElement("summary");
  summary.textContent = t("card-of.title");
  summary.setAttribute("aria-label", t("card-of.title-of", { name }));
  const list = document.createElement("dl");
  for (const [heading, value] of facts(entry)) {
    const [term, description] = ["dt", "dd"].map((tag) => document.createElement(tag));
    term.textContent = heading;
    description.append(value);
    list.append(term, description);
  }
  card.append(summary, list);
  return card;
}
