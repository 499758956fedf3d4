/** The Teach drawer: photos of each class in, a prompt out, which then answers for the whole page. */
import { Prompt } from "../pkg/index.js";
import { announce } from "../ui/announce.js";
import { Curve } from "../ui/curve.js";
import { percent, wholePercent } from "../ui/format.js";
import { known, onLanguage, plain, say, t } from "../ui/i18n.js";
import { examples, hasPhotos, onLesson, otherPhotos, showClasses, showLesson } from "./lesson.js";
import { problemText, showProblem } from "../ui/problem.js";
import { stageText } from "../ui/stages.js";

const byId = (id) => document.getElementById(`teach-${id}`);
const drawer = document.getElementById("teach");
const [state, recipe, summary, paper, epochs, epochsField, check] = ["state", "recipe", "summary", "paper", "epochs", "epochs-field", "check"].map(byId);
const [start, working, stage, progress, cancel, problem] = ["start", "run", "stage", "progress", "cancel", "error"].map(byId);
const [figure, result, report, table, use, save, drop] = ["curve", "result", "report", "table", "use", "save", "discard"].map(byId);
const [scoring, scoreButton] = ["scoring", "score"].map(byId);
const importer = byId("import");
const unlabelled = byId("unlabelled");

/** The photos on the page that are answered before and after. */
const MOST_COMPARED = 24;

/** @type {import("../pkg/index.js").Recipe[]} */
let recipes = [];
/** The newest prompt. @type {Prompt | null} */
let prompt = null;
/** SHA-256 of its file. @type {string | null} */
let fingerprint = null;
let inUse = false;
/** The learning or sorting that is going on. @type {AbortController | null} */
let job = null;
let ready = false;
/** The photos on the page. @type {() => File[]} */
let onPage = () => [];
/** The score that decides what is none of the classes. */
let score = "";
/** What the result says, to be said anew in another language. */
let describe = () => {};

/** The prompt that answers; none where the sentence around the names does. */
export const getPrompt = () => (inUse ? (prompt ?? undefined) : undefined);

/** What an export says of it; null where none is in use. */
export const promptInUse = () => (inUse ? { recipe: prompt.recipe, sha256: fingerprint } : null);

/** SHA-256 in hexadecimal; null where the browser has none, as on a page without HTTPS. */
async function sha256Of(blob) {
  if (!globalThis.crypto?.subtle) return null;
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", await blob.arrayBuffer()));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Whether the prompt in use brings words for none of the classes, which only the score LAPT reads. */
const unscored = () => inUse && score !== "lapt" && recipes.some(({ name, others }) => others && name === prompt.recipe);

/**
 * @param {object} page
 * @param {() => string[]} page.names
 * @param {(names: string[]) => void} page.addNames puts more names into the list
 * @param {() => File[]} page.files the photos on the page
 * @param {(archive: File) => Promise<import("../pkg/index.js").Unpacked[]>} page.unpack
 * @param {(files: File[], how: object) => Promise<import("../pkg/index.js").PseudoLabels>} page.pseudoLabel
 * @param {(examples: {image: File, label: string}[], how: object) => Promise<Prompt>} page.train
 * @param {(files: File[], prompt: Prompt, how: object) => Promise<object[]>} page.compare
 * @param {() => void} page.changed another prompt is in use
 * @param {() => void} page.score has LAPT decide what is none of the classes
 * @param {(sha256: string, what: "prompt", ready: () => void) => void} page.offerModel offers the model of
 *   that hash, if the page has it
 * @param {(error: Error, show: (error: Error) => void) => void} page.report
 */
export function onTeach(page) {
  onPage = page.files;
  drawer.addEventListener("toggle", render);
  const fail = (error) => page.report(error, (shown) => showProblem(problem, shown));

  let running = Promise.resolve();
  /** Runs something long, one after the other; resolves to `null` where it failed or was stopped. */
  const work = (does, stopped) => (running = running.then(() => perform(does, stopped)));
  const perform = async (does, stopped) => {
    job = new AbortController();
    const { signal } = job;
    showProblem(problem, null);
    say(stage, "teach.wait");
    progress.removeAttribute("value");
    render();
    cancel.focus();
    try {
      return await does(signal);
    } catch (error) {
      if (signal.aborted) announce(t(stopped));
      else fail(error);
      return null;
    } finally {
      const focused = working.contains(document.activeElement);
      job = null;
      // What was learned before stays at hand.
      result.hidden = prompt === null;
      render();
      if (focused) (result.hidden || signal.aborted ? start : use).focus();
    }
  };

  onLesson({
    ...page,
    begin: () => showProblem(problem, null),
    changed: render,
    fail,
    sort: (images) => work((signal) => page.pseudoLabel(images, { signal, onProgress: showStage }), "teach.sorting-stopped"),
  });

  const learn = async () => {
    const curve = new Curve(figure);
    const onProgress = (event) => {
      if (event.loss !== undefined) curve.add(event);
      showStage(event);
    };
    result.hidden = true;
    const learned = await work(async (signal) => {
      const others = otherPhotos();
      const own = examples();
      const how = { recipe: recipe.value, validation: check.value, others, signal, onProgress };
      if (!unlabelled.hidden) how.unlabelled = onPage();
      if (!epochsField.hidden && epochs.value !== "") how.epochs = epochs.valueAsNumber;
      const made = await page.train(own, how);
      curve.draw();
      say(stage, "teach.comparing");
      const compared = await page.compare(page.files().slice(0, MOST_COMPARED), made, { signal });
      const unread = made.report.failures.filter(({ index }) => index >= own.length).length;
      await show(made, compared, others.length - unread);
      announce(report.textContent);
      return made;
    }, "teach.stopped");
    // The curve of what was not kept says nothing about the prompt that is still at hand.
    if (learned === null) curve.remove();
  };
  start.addEventListener("click", () => {
    if (start.getAttribute("aria-disabled") !== "true") void learn();
  });
  cancel.addEventListener("click", () => job?.abort());

  use.addEventListener("click", () => {
    inUse = !inUse;
    render();
    announce(state.textContent);
    page.changed();
  });
  drop.addEventListener("click", () => {
    const changed = inUse;
    prompt = null;
    inUse = false;
    result.hidden = true;
    figure.hidden = true;
    render();
    start.focus();
    if (changed) page.changed();
  });
  save.addEventListener("click", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(prompt.toBlob());
    link.download = `promptlens-${prompt.recipe}.safetensors`;
    link.click();
    // The download has its own hold on the bytes by then.
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  });
  const bring = async (file) => {
    showProblem(problem, null);
    let read;
    try {
      read = await Prompt.from(file);
      const there = new Set(page.names());
      const fresh = read.labels.filter((label) => !there.has(label));
      const compared = await page.compare(page.files().slice(0, MOST_COMPARED), read, {});
      if (fresh.length > 0) page.addNames(fresh);
      await show(read, compared);
      announce(report.textContent);
    } catch (error) {
      page.report(error, (shown) => showProblem(problem, shown));
      if (error.code === "prompt/wrong-model") page.offerModel(read.modelSha256, "prompt", () => void bring(file));
    }
    render();
  };
  importer.addEventListener("change", () => {
    const [file] = importer.files;
    importer.value = "";
    if (file) void bring(file);
  });
  recipe.addEventListener("change", render);
  scoreButton.addEventListener("click", () => {
    page.score();
    announce(t("teach.scored"));
  });

  const show = async (made, compared, others = 0) => {
    fingerprint = await sha256Of(made.toBlob());
    prompt = made;
    if (inUse) page.changed();
    describe = () => {
      plain(report, reportOf(made, others));
      table.replaceChildren(...compared.map(row));
      table.closest(".compared").hidden = compared.length === 0;
    };
    describe();
    result.hidden = false;
  };
}

/** Offers what the engine of `model`, by its hash, can do. A prompt of another model stops answering. */
export function showRecipes(offered, model) {
  if (inUse && prompt.modelSha256 !== model) inUse = false;
  recipes = offered.filter(({ needs }) => needs !== "descriptions");
  const was = recipe.value;
  recipe.replaceChildren(...recipes.map(({ name }) => new Option(name, name)));
  recipe.value = recipes.some(({ name }) => name === was) ? was : "coop";
  render();
}

/** Follows the names of the list, whether an engine is there, and the score for none of the classes. */
export function showNames(names, usable, ood) {
  ready = usable;
  score = ood;
  showClasses(names);
  render();
}

function showStage({ stage: name, loaded, total, loss }) {
  if (name === "photos") say(stage, "teach.looking", { done: Math.min(loaded + 1, total), total });
  else if (loss !== undefined) say(stage, "teach.step", { done: loaded, total });
  else if (name === "validate") say(stage, "teach.checking", { done: Math.min(loaded + 1, total), total });
  else if (name === "gather") say(stage, "teach.sorting", { done: Math.min(loaded + 1, total), total });
  else if (["vocabulary", "mining", "negatives"].includes(name)) plain(stage, stageText({ stage: name, loaded, total }));
  else return;
  progress.max = total;
  progress.value = loaded;
}

/** What was learned, from what, and how well it does. */
function reportOf({ report: learned, recipe: name, labels }, others) {
  if (!learned) return t("teach.read", { recipe: name, count: labels.length });
  const seconds = () => learned.seconds.toLocaleString(undefined, { maximumFractionDigits: 1 });
  const sentences = [t(learned.images > 0 ? "teach.learned" : "teach.learned-words", { recipe: name, count: learned.images, seconds })];
  if (others > 0) sentences.push(t("teach.learned-others", { count: others }));
  if (learned.accuracyAfter !== null) {
    const [before, after] = [learned.accuracyBefore, learned.accuracyAfter].map((share) => () => percent(share));
    sentences.push(t("teach.measured", { n: learned.measured, before, after }));
  }
  if (learned.failures.length > 0) sentences.push(t("teach.failed", { failed: learned.failures.length }));
  return sentences.join(" ");
}

/** One photo's answers before and after. */
function row({ name, before, after, error }) {
  const line = document.createElement("tr");
  const head = document.createElement("th");
  head.scope = "row";
  const own = document.createElement("bdi");
  own.textContent = name;
  head.append(own);
  line.append(head);
  for (const best of error ? [] : [before, after]) {
    const cell = document.createElement("td");
    const label = document.createElement("bdi");
    label.textContent = best.label;
    cell.append(label, ` ${wholePercent(best.probability)}`);
    line.append(cell);
  }
  if (error) {
    const cell = document.createElement("td");
    cell.colSpan = 2;
    cell.textContent = problemText(error);
    line.append(cell);
  } else {
    line.toggleAttribute("data-changed", before.label !== after.label);
  }
  return line;
}

/** The engine describes its recipes in English; a language may have a sentence of its own. */
function describeRecipe(chosen) {
  const key = `recipe.${chosen?.name}`;
  if (known(key)) {
    say(summary, key);
    summary.removeAttribute("lang");
  } else {
    plain(summary, chosen?.summary);
    summary.lang = "en";
  }
}

function render() {
  const chosenRecipe = recipes.find(({ name }) => name === recipe.value);
  describeRecipe(chosenRecipe);
  plain(paper, chosenRecipe?.paper);
  epochsField.hidden = !chosenRecipe?.parameters.some(({ name }) => name === "epochs");
  showLesson(chosenRecipe?.others ?? false);
  const needed = chosenRecipe?.needs === "images" || chosenRecipe?.needs === "unlabelled";
  unlabelled.hidden = chosenRecipe?.needs !== "unlabelled";
  const photos = hasPhotos() || (!unlabelled.hidden && onPage().length > 0);
  start.setAttribute("aria-disabled", String(!ready || job !== null || (needed && !photos)));
  start.hidden = job !== null;
  working.hidden = job === null;
  save.disabled = drop.disabled = prompt === null;
  say(use, inUse ? "teach.unuse" : "teach.use");
  use.setAttribute("aria-pressed", String(inUse));
  if (inUse) say(state, "teach.state-used", { recipe: prompt.recipe });
  else say(state, prompt ? "teach.state-ready" : "teach.state-none");
  scoring.hidden = !unscored();
  recipe.disabled = recipes.length === 0;
  drawer.toggleAttribute("data-on", inUse);
}

onLanguage(() => {
  describe();
  render();
});
render();
