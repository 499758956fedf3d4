import { PromptLens } from "./pkg/index.js";
import { announce } from "./ui/announce.js";
import { Card } from "./ui/card.js";
import { forExport, forLink } from "./ui/choices.js";
import { compare, withClasses } from "./state/compare.js";
import { checkLink, offerModel } from "./panels/earlier.js";
import { integer, wholePercent } from "./ui/format.js";
import { addCards, clearCards, focusCard, rearrange, removeCard } from "./panels/gallery.js";
import { verdictText } from "./ui/gauge.js";
import { language, languages, onLanguage, preferred, setLanguage, t } from "./ui/i18n.js";
import { modelAt, offerBigger, onModel, showModel } from "./panels/models.js";
import * as names from "./panels/names.js";
import { keepOffline } from "./panels/offline.js";
import { onPermalink, restore } from "./panels/permalink.js";
import { onPhotos } from "./panels/photos.js";
import * as negatives from "./panels/negatives.js";
import { problemText } from "./ui/problem.js";
import * as reject from "./panels/reject.js";
import { modelLabels, readSettings } from "./ui/settings.js";
import { showSamples } from "./ui/sources.js";
import * as status from "./panels/status.js";
import { onToolbar, showRun } from "./panels/toolbar.js";
import * as teach from "./panels/teach.js";
import { judged, onThreshold } from "./panels/threshold.js";
import { getTune, onTune } from "./panels/tune.js";
import { galleryOf, keepVariants, onVariants, variantsOf } from "./panels/variants.js";

const settings = readSettings(location.search);
const empty = document.getElementById("empty");
const clear = document.getElementById("clear");
const count = document.getElementById("results-count");
const chooser = document.getElementById("files");

/** @type {PromptLens | null} */
let lens = null;
/** What the engine last said about itself. @type {import("./pkg/index.js").Info | null} */
let info = null;
/** @type {import("./pkg/index.js").Classes | null} */
let classes = null;
/** The classes whose words for none of them are those of the reader's edits. @type {import("./pkg/index.js").Classes | null} */
let mined = null;
/** Every photo on the page. @type {Set<Card>} */
const cards = new Set();
/** The photos among them without an answer for the settings as they are, in the order of asking. @type {Set<Card>} */
let open = new Set();
/** Whether the engine refused the names as they are. */
let refused = false;
/** Whether the reader stopped the work. */
let stopped = false;
/** Stops the computing for the settings as they are. */
let run = new AbortController();
/** The hub that this page asks for models; the build decides. */
const HUB = document.querySelector("meta[name=promptlens-hub]").content || undefined;
/** The run that is answering photos at the moment. @type {AbortSignal | null} */
let answering = null;
/** Why the engine went away. @type {Error | null} */
let gone = null;
/** The photo in hand, and what stops its call. @type {{card: Card, call: AbortController} | null} */
let current = null;

const options = () => ({ ...getTune(), ...reject.getScore() });

/** The loading of the model that the page begins with, whatever becomes of it. */
let loading = Promise.resolve();

function load() {
  loading = begin();
  return loading;
}

async function begin() {
  lens?.free();
  lens = null;
  invalidate();
  status.showLoading();
  const { model, quantization, device } = settings;
  try {
    lens = await PromptLens.load({ model: modelAt(model), quantization, device, hub: HUB, onProgress: status.showProgress });
  } catch (error) {
    status.showFailure(error);
    return;
  }
  status.showReady(lens.info);
  showModel(settings.model, lens.info);
  teach.showRecipes(await lens.recipes(), lens.info.modelSha256);
}

/** Another model takes over once it is ready, for links and for another attempt too. */
onModel(async ({ model, address, quantization }, how) => {
  const next = await PromptLens.load({ model, quantization, device: settings.device, hub: HUB, ...how });
  invalidate();
  lens?.free();
  lens = next;
  teach.showRecipes(await lens.recipes(), lens.info.modelSha256);
  Object.assign(settings, { model: address ?? model, quantization });
  status.showReady(lens.info);
  void useNames();
  return lens.info;
});

/** Ends the work in hand. */
function halt() {
  run.abort();
  run = new AbortController();
  current?.call.abort();
  current = null;
  answering = null;
}

/** Ends what was computed for settings that no longer hold: every photo is open again. */
function reopen() {
  halt();
  reject.stopCalibrating();
  stopped = false;
  open = new Set(cards);
  render();
}

/** The same where the names no longer hold. */
function invalidate() {
  classes?.free();
  classes = null;
  refused = false;
  reopen();
}

/** The sentence around the names. */
const worded = () => ({ templates: [names.getTemplate()] });

/** Computes the class list as it is now, then answers every photo anew. */
async function useNames() {
  invalidate();
  const { signal } = run;
  if (!lens) return;
  try {
    const made = await lens.classes(names.getNames(), { ...worded(), prompt: teach.getPrompt(), signal });
    names.showNamesError(null);
    // Where the threshold does not hold any more, the engine says so.
    const calibration = reject.getCalibration();
    if (calibration) await made.useCalibration(calibration.file);
    if (negatives.wanted()) await mine(made, { ...negatives.edits(), signal });
    if (signal.aborted) return made.free();
    classes = made;
    negatives.forgetWords();
    names.markUnknown(await lens.unknownNames(names.getNames()));
    if (signal.aborted) return;
  } catch (error) {
    if (signal.aborted) return;
    refused = true;
    report(error, names.showNamesError);
    render();
    return;
  }
  await answer(signal);
}

/** Finds words for none of the classes. */
function mine(made, how) {
  mined = made;
  return made.mineNegatives(how);
}

/** What was asked for beside the answers: an engine that is gone with it is told at the top too. */
async function aside(promise) {
  try {
    return await promise;
  } catch (error) {
    report(error, () => {});
    throw error;
  }
}

/** Answers every photo anew, for the same names. */
function useOptions() {
  if ((!classes && !refused) || (negatives.wanted() && mined !== classes)) return void useNames();
  reopen();
  if (classes) void answer(run.signal);
}

/** Answers the open photos one after the other, until `signal` says that the settings have changed. */
async function answer(signal) {
  if (answering === signal || stopped) return;
  answering = signal;
  render();
  while (classes) {
    await reject.calibrated();
    if (signal.aborted) return;
    const [card] = open;
    if (!card || !classes) break;
    open.delete(card);
    await answerOne(card, signal);
    if (signal.aborted) return;
    render();
    rearrange();
  }
  answering = null;
  render();
}

async function answerOne(card, signal) {
  const call = new AbortController();
  current = { card, call };
  const asked = options();
  card.wait("card.looking", names.getNames().length, asked.tune !== "none");
  try {
    const onProgress = (event) => call.signal.aborted || card.progress(event);
    const strong = asked.tune === "difftpt-lite";
    const pictures = strong ? { variants: variantsOf(card), gallery: galleryOf(card, cards) } : {};
    const result = await classes.classify(card.file, { ...asked, ...pictures, signal: call.signal, onProgress });
    result.ood = judged(result.ood);
    info = lens.info;
    card.show(result, asked.tune, status.deviceName(info.device));
    const [best] = result.predictions;
    const words = { name: card.name, label: best.label, share: wholePercent(best.probability) };
    if (result.ood?.isOutlier === true) announce(t("card.answer-verdict", { ...words, verdict: verdictText(result.ood) }));
    else announce(t("card.answer", words));
  } catch (error) {
    if (signal.aborted || call.signal.aborted) return;
    report(error, (problem) => {
      card.fail(problem);
      announce(t("card.problem", { name: card.name, message: problemText(problem) }));
    });
  } finally {
    if (current?.call === call) current = null;
  }
}

/** Shows an error where `show` puts it, and at the top as well when the engine is gone with it. */
function report(error, show) {
  show(error);
  if (error.code !== "engine/internal" && error.code !== "gpu/lost") return;
  // Several calls may end with it.
  if (!lens) return;
  lens.free();
  lens = null;
  classes = null;
  gone = error;
  status.showFailure(error);
  render();
}

/** Says on each open photo what it waits for, and how far the work is. */
function render() {
  const rows = names.getNames().length;
  const tuned = getTune().tune !== "none";
  let reason = "card.line";
  if (!lens) reason = "card.wait-model";
  else if (refused) reason = rows === 0 ? "card.wait-names" : "card.wait-usable";
  for (const card of open) {
    card.wait(reason, rows, tuned);
    if (stopped) card.stop();
  }
  empty.hidden = cards.size > 0;
  clear.hidden = cards.size === 0;
  count.textContent = cards.size ? integer(cards.size) : "";
  const done = [...cards].filter((card) => card.done);
  const settled = cards.size - open.size - (current ? 1 : 0);
  showRun({ photos: cards.size, settled, working: answering !== null, stopped, results: done.length });
  const scores = done.map((card) => card.result.ood).filter(Boolean);
  reject.showScores(scores, cards.size, classes !== null);
  keepVariants(cards);
  teach.showNames(names.getNames(), lens !== null, reject.getScore().ood);
}

function addPhotos(files) {
  if (files.length === 0) return;
  const first = cards.size === 0;
  const added = files.map((file) => new Card(file, { remove: removePhoto, explain }));
  for (const card of added) {
    cards.add(card);
    open.add(card);
  }
  addCards(added);
  go();
  if (first) showResults();
}

/** On a phone the first answers would come below everything else. */
function showResults() {
  const heading = count.parentElement;
  if (heading.getBoundingClientRect().top < innerHeight * 0.7) return;
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  heading.scrollIntoView({ behavior: still ? "instant" : "smooth" });
}

/** Where the names are on a photo, for the settings that it was answered with. */
async function explain(card, method) {
  // After the engine is gone the answers stay, until another one is there.
  if (!classes) throw gone;
  const { heatmap } = await aside(classes.classify(card.file, { ...options(), heatmap: method, signal: run.signal }));
  return heatmap;
}

/** Works on the photos that are open. */
function go() {
  stopped = false;
  render();
  if (classes) void answer(run.signal);
}

/** Leaves the photos that are open as they are. */
function stop() {
  if (current) open = new Set([current.card, ...open]);
  halt();
  stopped = open.size > 0;
  render();
  announce(t("results.halted-aloud"));
}

function removePhoto(card) {
  card.remove();
  const next = removeCard(card);
  cards.delete(card);
  open.delete(card);
  if (current?.card === card) current.call.abort();
  if (open.size === 0) stopped = false;
  render();
  if (next) focusCard(next);
  else chooser.focus();
  announce(t("photos.removed", { name: card.name }));
}

clear.addEventListener("click", () => {
  for (const card of cards) card.remove();
  clearCards();
  cards.clear();
  open.clear();
  stopped = false;
  current?.call.abort();
  render();
  chooser.focus();
  announce(t("photos.cleared"));
});

/** Everything that has been answered, with the settings that it was answered with. */
function collect() {
  const entries = [...cards]
    .filter((card) => card.done || card.error)
    .map(({ name, result, error }) => ({ file: name, result: error ? undefined : result, error }));
  return { entries, settings: forExport(info) };
}

/** The model and the names as they are, for what cannot wait for them. */
function asTheyAre(signal) {
  if (!lens) throw new Error(t("status.failed"));
  return [lens, names.getNames(), { ...worded(), signal }];
}

const languageChoice = document.getElementById("language");
languageChoice.append(...languages().map(({ code, name }) => new Option(name, code)));
languageChoice.addEventListener("change", () => void setLanguage(languageChoice.value));
onLanguage(() => {
  languageChoice.value = language();
  for (const card of cards) card.reword();
  render();
});
await setLanguage(preferred(location.search), { remember: false });

onPhotos(addPhotos);
// An edit while the model was being loaded may be part of the first list already.
names.onEdit(invalidate, () => classes || void useNames());
names.onBigger(offerBigger);
names.onNamesList(async (file) => {
  await loading;
  return asTheyAre()[0].parseLabels(file);
});
onTune(useOptions);
onPermalink(() => forLink(settings, lens?.info.modelSha256));
onVariants(() => [...cards], useOptions);
onToolbar({ stop, go, collect });
reject.onReject({
  files: () => [...cards].map((card) => card.file),
  calibrate: (files, how) => classes.calibrate(files, { ...options(), ...how }),
  changed: useOptions,
  // The photos were scored with these very settings, so only the verdicts are new.
  fitted({ score, threshold }) {
    for (const card of [...cards].filter(({ done, result }) => done && result.ood?.score === score)) {
      const { calibrated: _, ...ood } = card.result.ood;
      card.judge({ ...ood, threshold, isOutlier: ood.value < threshold, stale: null });
    }
    render();
  },
  report,
});
teach.onTeach({
  names: names.getNames,
  addNames: (more) => names.addNames(more),
  files: () => [...cards].map((card) => card.file),
  unpack: async (archive) => asTheyAre()[0].unpack(archive),
  classFolders: async (paths) => asTheyAre()[0].classFolders(paths),
  pseudoLabel: async (files, how) => withClasses(...asTheyAre(how.signal), (plain) => plain.pseudoLabel(files, { ...negatives.forTraining(), ...how })),
  train: async (examples, how) => withClasses(...asTheyAre(how.signal), (plain) => plain.train(examples, { ...negatives.forTraining(), ...how })),
  compare: async (files, prompt, { signal }) => compare(...asTheyAre(signal), files, prompt),
  score: () => reject.chooseScore("lapt"),
  changed: () => void useNames(),
  offerModel,
  report,
});
onThreshold(() => {
  for (const card of [...cards].filter(({ done, result }) => done && result.ood)) card.judge(judged(card.result.ood));
  render();
});
negatives.onNegatives({ mine: (how) => (classes ? aside(mine(classes, how)) : null), changed: useOptions });
status.onRetry(async (device = settings.device) => {
  settings.device = device;
  await load();
  await useNames();
});

restore(location.search);
showSamples();
await keepOffline();
await Promise.all([
  modelLabels(settings.model).then((own) => names.setNames(settings.labels ?? own, own)),
  load(),
]);
if (lens) checkLink(location.search, lens.info.modelSha256);
await useNames();
