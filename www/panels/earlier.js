/** Links and prompts that were made with another of this page's own models: says so, and offers that model. */
import { say, t } from "../ui/i18n.js";
import { BUILT_IN, FORMER, localModel } from "../ui/local.js";
import { useLocal } from "./models.js";

const note = document.getElementById("earlier");
const text = document.getElementById("earlier-text");
const use = document.getElementById("earlier-use");
const close = document.getElementById("earlier-close");

/** What every link that the page makes holds, and one that somebody writes hardly does. */
const EVERY_LINK = ["labels", "template", "tune", "ood", "device", "lang"];

/** What happens once the offered model is ready. */
let then = () => {};
/** What is offered. @type {import("../ui/local.js").Local | undefined} */
let offered;

/**
 * Offers the model whose hash begins with `sha256`, if it is one of the page's own.
 *
 * @param {string} sha256
 * @param {"link" | "prompt"} what was made with it
 * @param {() => void} [ready] runs once that model answers
 */
export function offerModel(sha256, what, ready = () => {}) {
  offered = localModel(sha256);
  note.hidden = !offered;
  if (!offered) return;
  then = ready;
  const { key } = offered;
  const name = () => t(`models.${key}`);
  say(text, `earlier.${what}`, { name });
  say(use, "earlier.use", { name });
}

/**
 * The model that a link was made with, where it is not the one that answers. Links of the page name the
 * first digits of the weights; those that do not, but hold all that a link of the page holds, are from
 * before there was a choice.
 *
 * @param {string} search
 * @param {string} sha256 of the model that answers
 */
export function checkLink(search, sha256) {
  const query = new URLSearchParams(search);
  const weights = query.get("weights");
  const model = query.get("model");
  if (weights) {
    if (!sha256.startsWith(weights)) offerModel(weights, "link");
  } else if (EVERY_LINK.every((name) => query.has(name)) && ["./models/mini/", BUILT_IN.model].includes(model)) {
    offerModel(FORMER.sha256, "link");
  }
}

use.addEventListener("click", async () => {
  note.hidden = true;
  if (await useLocal(offered)) then();
});
close.addEventListener("click", () => {
  note.hidden = true;
});
