import { PromptLens } from "./pkg/index.js";
import { announce } from "./ui/announce.js";
import { Card } from "./ui/card.js";
import { integer, wholePercent } from "./ui/format.js";
import * as names from "./ui/names.js";
import { onPhotos } from "./ui/photos.js";
import { modelLabels, readSettings } from "./ui/settings.js";
import * as status from "./ui/status.js";

const settings = readSettings(location.search);
const list = document.getElementById("cards");
const empty = document.getElementById("empty");
const clear = document.getElementById("clear");
const count = document.getElementById("results-count");
const chooser = document.getElementById("files");

/** @type {PromptLens | null} */
let lens = null;
/** @type {import("./pkg/index.js").Classes | null} */
let classes = null;
/** Every photo on the page. @type {Set<Card>} */
const cards = new Set();
/** The photos among them without an answer for the names as they are, in the order of asking. @type {Set<Card>} */
const open = new Set();
/** Whether the engine refused the names as they are. */
let refused = false;
/** Stops the computing for the names as they are. */
let run = new AbortController();
/** The run that is answering photos at the moment. @type {AbortSignal | null} */
let answering = null;

async function load(device) {
  lens?.free();
  lens = null;
  classes = null;
  status.showLoading();
  try {
    lens = await PromptLens.load({ model: settings.model, device, onProgress: status.showProgress });
  } catch (error) {
    status.showFailure(error);
    return;
  }
  status.showReady(lens.info);
}

/** Ends what was computed for names that no longer hold: every photo is open again. */
function invalidate() {
  run.abort();
  run = new AbortController();
  classes?.free();
  classes = null;
  refused = false;
  for (const card of cards) open.add(card);
  renderWaiting();
}

/** Computes the class list as it is now, then answers every photo anew. */
async function useNames() {
  invalidate();
  const { signal } = run;
  if (!lens) return;
  try {
    classes = await lens.classes(names.getNames(), { templates: [names.getTemplate()], signal });
    names.showNamesError(null);
  } catch (error) {
    if (signal.aborted) return;
    refused = true;
    report(error, names.showNamesError);
    renderWaiting();
    return;
  }
  await answer(signal);
}

/** Answers the open photos one after the other, until `signal` says that the names have changed. */
async function answer(signal) {
  if (answering === signal) return;
  answering = signal;
  renderWaiting();
  for (let card; classes && (card = open.values().next().value); ) {
    open.delete(card);
    card.wait("Looking…", names.getNames().length);
    try {
      const result = await classes.classify(card.file, { signal });
      if (!cards.has(card)) continue;
      card.show(result, status.deviceName(lens.info.device));
      const [best] = result.predictions;
      announce(`${card.name}: ${best.label}, ${wholePercent(best.probability)}.`);
    } catch (error) {
      if (signal.aborted) return;
      report(error, (problem) => {
        card.fail(problem);
        announce(`${card.name}: ${problem.message}`);
      });
    }
  }
  if (answering === signal) answering = null;
}

/** Shows an error where `show` puts it, and at the top as well when the engine is gone with it. */
function report(error, show) {
  show(error);
  if (error.code !== "engine/internal" && error.code !== "gpu/lost") return;
  lens?.free();
  lens = null;
  classes = null;
  status.showFailure(error);
  renderWaiting();
}

/** Says on each open photo what it waits for, and how many photos there are. */
function renderWaiting() {
  const rows = names.getNames().length;
  let reason = "In line…";
  if (!lens) reason = "Waiting for the model…";
  else if (refused) reason = rows === 0 ? "Waiting for class names…" : "Waiting for names that can be used…";
  for (const card of open) card.wait(reason, rows);
  empty.hidden = cards.size > 0;
  clear.hidden = cards.size === 0;
  count.textContent = cards.size ? integer(cards.size) : "";
}

function addPhotos(files) {
  const added = files.map((file) => new Card(file, removePhoto));
  for (const card of added) {
    cards.add(card);
    open.add(card);
  }
  list.prepend(...added.map((card) => card.element));
  renderWaiting();
  if (classes) void answer(run.signal);
}

function removePhoto(card) {
  const next = card.element.nextElementSibling ?? card.element.previousElementSibling;
  card.remove();
  cards.delete(card);
  open.delete(card);
  renderWaiting();
  (next?.querySelector(".remove") ?? chooser).focus();
  announce(`${card.name} removed.`);
}

clear.addEventListener("click", () => {
  for (const card of cards) card.remove();
  cards.clear();
  open.clear();
  renderWaiting();
  chooser.focus();
  announce("All photos removed.");
});

onPhotos(addPhotos);
names.onEdit(invalidate, () => void useNames());
status.onRetry(async (device = settings.device) => {
  await load(device);
  await useNames();
});

await Promise.all([
  modelLabels(settings.model).then((own) => names.setNames(settings.labels ?? own, own)),
  load(settings.device),
]);
await useNames();
