/** What tuning did to one photo: a sentence, and the views that it went by. */
import { apart, integer, isolate } from "./format.js";

const viewTemplate = document.getElementById("view-template");

/** Entropies closer than this, in nats, count as the same. */
const SAME = 1e-6;

/** Views may be larger than they are shown; they pass through here one by one. */
const scratch = document.createElement("canvas");

/**
 * One honest sentence on what happened.
 *
 * @param {import("../pkg/index.js").Result} result
 * @param {string} method
 */
export function tuningSentence({ predictions, tuning }, method) {
  if (tuning.guarded) return "Tuning met a number that is not finite, so this is the answer without tuning.";
  const answer = isolate(predictions[0].label);
  if (predictions.length === 1) return `With a single name there is nothing to tune: the answer can only be ${answer}.`;
  const { views, kept, entropyBefore, entropyAfter } = tuning;
  const change = Math.abs(entropyAfter - entropyBefore) < SAME ? 0 : Math.sign(entropyAfter - entropyBefore);
  const [before, after] = apart(entropyBefore, entropyAfter);
  const entropy = change === 0 ? `entropy ${before} nats` : `entropy ${before} → ${after} nats`;
  const old = tuning.predictionsBefore[0].label;
  const outcome = old === predictions[0].label ? `the answer stayed ${answer}` : `the answer changed from ${isolate(old)} to ${answer}`;
  return `${subject(method, kept, views)} ${verb(kept, change)}: ${entropy}; ${outcome}.`;
}

function subject(method, kept, views) {
  if (views === 1) return "The only view";
  if (kept === 1) return `The surest of ${integer(views)} views`;
  if (method === "difftpt-lite") return `The ${integer(kept)} views kept of ${integer(views)}`;
  return `The ${integer(kept)} surest of ${integer(views)} views`;
}

function verb(kept, change) {
  if (kept === 1) return ["is now surer", "is as sure as before", "is now less sure"][change + 1];
  return ["now agree more", "agree as much as before", "now agree less"][change + 1];
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
  sentence.textContent = tuningSentence(result, method);
  const list = document.createElement("ul");
  list.className = "views";
  list.setAttribute("aria-label", "Kept views with their entropies in nats, surest first");
  list.append(...result.tuning.keptViews.map(view));
  return [sentence, list];
}

function view({ index, entropy, size, thumbnail }) {
  const item = viewTemplate.content.cloneNode(true).firstElementChild;
  const canvas = item.querySelector("canvas");
  const [value] = apart(entropy);
  canvas.setAttribute("aria-label", `${index === 0 ? "The photo itself" : `View ${integer(index)}`}, entropy ${value} nats`);
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
