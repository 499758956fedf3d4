/** What tuning did to one photo: a sentence, and the views that it used. */
import { apart, isolate } from "./format.js";
import { setMessage, t } from "./i18n.js";
import { problemText } from "./problem.js";

const viewTemplate = document.getElementById("view-template");

/** Entropies closer than this, in nats, count as the same. */
const SAME = 1e-6;

/** Views may be larger than they are shown; they pass through here one by one. */
const scratch = document.createElement("canvas");

/**
 * One sentence on what tuning changed.
 *
 * @param {import("../pkg/index.js").Result} result
 * @param {string} method
 */
export function tuningSentence({ predictions, tuning }, method) {
  if (tuning.guarded) return t("tuned.guarded");
  const answer = isolate(predictions[0].label);
  if (predictions.length === 1) return t("tuned.single", { answer });
  const { views, kept, entropyBefore, entropyAfter } = tuning;
  const change = Math.abs(entropyAfter - entropyBefore) < SAME ? 0 : Math.sign(entropyAfter - entropyBefore);
  const [before, after] = apart(entropyBefore, entropyAfter);
  const old = tuning.predictionsBefore[0].label;
  return t("tuned.sentence", {
    subject: t(subject(method, kept, views), { kept, views }),
    verb: t(verb(kept, change)),
    entropy: t(change === 0 ? "tuned.entropy-same" : "tuned.entropy", { before, after }),
    outcome: t(old === predictions[0].label ? "tuned.stayed" : "tuned.changed", { answer, old: isolate(old) }),
  });
}

function subject(method, kept, views) {
  if (views === 1) return "tuned.only-view";
  if (kept === 1) return "tuned.surest-one";
  return method === "difftpt-lite" ? "tuned.kept" : "tuned.surest";
}

function verb(kept, change) {
  if (kept === 1) return ["tuned.one-surer", "tuned.one-same", "tuned.one-less"][change + 1];
  return ["tuned.more", "tuned.same", "tuned.less"][change + 1];
}

/**
 * The sentence and the kept views as pictures with their entropies.
 *
 * @param {import("../pkg/index.js").Result} result
 * @param {string} method
 */
export function tuningReport(result, method) {
  const sentence = document.createElement("p");
  sentence.className = "tuned-sentence";
  setMessage(sentence, "tuned.report", { sentence: () => tuningSentence(result, method) });
  const list = document.createElement("ul");
  list.className = "views";
  setMessage(list, "tuned.views", {}, "aria-label");
  const { keptViews, variantFailures, views, variants, startedFrom } = result.tuning;
  // The pictures of a photo that was not in sight when it was answered are gone.
  list.append(...keptViews.filter(({ thumbnail }) => thumbnail).map((one) => view(one, views - variants)));
  list.hidden = list.childElementCount === 0;
  const notes = [];
  if (startedFrom !== null) notes.push(note("tuned.started", { words: startedFrom }));
  if (variantFailures.length > 0) {
    notes.push(note("tuned.variants-bad", { count: variantFailures.length, message: () => problemText(variantFailures[0]) }));
  }
  return [sentence, ...notes, list];
}

function note(key, values) {
  const paragraph = document.createElement("p");
  paragraph.className = "note";
  setMessage(paragraph, key, values);
  return paragraph;
}

/** A view as a picture; variants are counted from number `own` on. */
function view({ index, kind, entropy, size, thumbnail }, own) {
  const item = viewTemplate.content.cloneNode(true).firstElementChild;
  const canvas = item.querySelector("canvas");
  const [value] = apart(entropy);
  const variant = kind === "variant";
  // Their style is that of other photos; see "gallery" in the package.
  const borrowed = kind.endsWith(" transfer") ? "tuned.borrowed" : "tuned.view";
  const key = variant ? "tuned.variant" : borrowed;
  const number = variant ? index - own + 1 : index;
  setMessage(canvas, index === 0 ? "tuned.photo" : key, { index: number, entropy: value }, "aria-label");
  item.querySelector("span").textContent = value;
  draw(canvas, size, thumbnail);
  return item;
}

/** Draws RGB bytes over the whole of a canvas. */
function draw(canvas, size, rgb) {
  const pixels = new ImageData(size, size);
  for (let from = 0, to = 0; from < rgb.length; from += 3, to += 4) {
    pixels.data[to] = rgb[from];
    pixels.data[to + 1] = rgb[from + 1];
    pixels.data[to + 2] = rgb[from + 2];
    pixels.data[to + 3] = 255;
  }
  scratch.width = size;
  scratch.height = size;
  scratch.getContext("2d").putImageData(pixels, 0, 0);
  canvas.getContext("2d").drawImage(scratch, 0, 0, canvas.width, canvas.height);
}
