/** The Teach drawer: photos of each class in, a prompt out, which then answers for the whole page. */
import { Prompt } from "../pkg/index.js";
import { announce } from "./announce.js";
import { Curve } from "./curve.js";
import { chosen, dropped } from "./folders.js";
import { integer, percent, wholePercent } from "./format.js";
import { onLanguage, plain, say, t } from "./i18n.js";
import { showProblem } from "./problem.js";

const byId = (id) => document.getElementById(`teach-${id}`);
const drawer = document.getElementById("teach");
const [state, zone, folder, files, single, list, counted] = ["state", "drop", "folder", "files", "class", "classes", "count"].map(byId);
const [recipe, summary, paper, epochs, epochsField, check] = ["recipe", "summary", "paper", "epochs", "epochs-field", "check"].map(byId);
const [start, working, stage, progress, cancel, problem] = ["start", "run", "stage", "progress", "cancel", "error"].map(byId);
const [figure, result, report, table, use, save, drop] = ["curve", "result", "report", "table", "use", "save", "discard"].map(byId);
const importer = byId("import");

/** The photos on the page that are answered before and after. */
const MOST_COMPARED = 24;

/** Photos by class. @type {Map<string, File[]>} */
const photos = new Map();
/** @type {import("../pkg/index.js").Recipe[]} */
let recipes = [];
/** The newest prompt. @type {Prompt | null} */
let prompt = null;
let inUse = false;
/** The learning that is going on. @type {AbortController | null} */
let job = null;
let ready = false;
/** What the result says, to be said anew in another language. */
let describe = () => {};

/** The prompt that answers; none where the sentence around the names does. */
export const getPrompt = () => (inUse ? (prompt ?? undefined) : undefined);

const all = () => [...photos.values()].flat();

/**
 * @param {object} page
 * @param {() => string[]} page.names
 * @param {(names: string[]) => void} page.addNames puts more names into the list
 * @param {() => File[]} page.files the photos on the page
 * @param {(examples: {image: File, label: string}[], how: object) => Promise<Prompt>} page.train
 * @param {(files: File[], prompt: Prompt, how: object) => Promise<object[]>} page.compare
 * @param {() => void} page.changed another prompt is in use
 * @param {(error: Error, show: (error: Error) => void) => void} page.report
 */
export function onTeach(page) {
  const take = (found) => {
    const lone = single.value;
    const usable = found.filter(({ folder: name }) => name || lone);
    for (const { file, folder: name } of usable) {
      const label = name || lone;
      photos.set(label, [...(photos.get(label) ?? []), file]);
    }
    const known = new Set(page.names());
    const fresh = [...new Set(usable.map(({ folder: name }) => name))].filter((name) => name && !known.has(name));
    if (fresh.length > 0) page.addNames(fresh);
    announce(t("teach.taken", { count: usable.length }));
    render();
  };
  for (const chooser of [folder, files]) {
    chooser.addEventListener("change", () => {
      take(chosen(chooser.files));
      chooser.value = "";
    });
  }
  zone.addEventListener("dragover", (event) => event.preventDefault());
  zone.addEventListener("drop", async (event) => {
    event.preventDefault();
    try {
      take(await dropped(event.dataTransfer));
    } catch (error) {
      page.report(error, (shown) => showProblem(problem, shown));
    }
  });

  const learn = async () => {
    job = new AbortController();
    const { signal } = job;
    const curve = new Curve(figure);
    showProblem(problem, null);
    result.hidden = true;
    say(stage, "teach.wait");
    progress.removeAttribute("value");
    render();
    cancel.focus();
    const onProgress = (event) => {
      if (event.loss !== undefined) curve.add(event);
      showStage(event);
    };
    const examples = [...photos].flatMap(([label, own]) => own.map((image) => ({ image, label })));
    try {
      const how = { recipe: recipe.value, validation: check.value, signal, onProgress };
      if (!epochsField.hidden && epochs.value !== "") how.epochs = epochs.valueAsNumber;
      const made = await page.train(examples, how);
      curve.draw();
      say(stage, "teach.comparing");
      const compared = await page.compare(page.files().slice(0, MOST_COMPARED), made, { signal });
      show(made, compared);
      announce(report.textContent);
    } catch (error) {
      if (!signal.aborted) page.report(error, (shown) => showProblem(problem, shown));
      else announce(t("teach.stopped"));
    } finally {
      const focused = working.contains(document.activeElement);
      job = null;
      // What was learned before stays at hand.
      result.hidden = prompt === null;
      render();
      if (focused) (result.hidden || signal.aborted ? start : use).focus();
    }
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
  importer.addEventListener("change", async () => {
    const [file] = importer.files;
    importer.value = "";
    if (!file) return;
    showProblem(problem, null);
    try {
      const read = await Prompt.from(file);
      const known = new Set(page.names());
      const fresh = read.labels.filter((label) => !known.has(label));
      const compared = await page.compare(page.files().slice(0, MOST_COMPARED), read, {});
      if (fresh.length > 0) page.addNames(fresh);
      show(read, compared);
      announce(report.textContent);
    } catch (error) {
      page.report(error, (shown) => showProblem(problem, shown));
    }
    render();
  });
  recipe.addEventListener("change", render);
  list.addEventListener("click", ({ target }) => {
    const label = target.closest("button")?.value;
    if (label === undefined) return;
    photos.delete(label);
    render();
    (list.querySelector("button") ?? folder).focus();
    announce(t("teach.removed", { label }));
  });

  const show = (made, compared) => {
    if (inUse) page.changed();
    prompt = made;
    describe = () => {
      describeReport(made);
      table.replaceChildren(...compared.map(row));
      table.closest(".compared").hidden = compared.length === 0;
    };
    describe();
    result.hidden = false;
  };
}

/** Offers what the engine of `model`, by its hash, can do. A prompt of another model stops answering. */
export function showRecipes(known, model) {
  if (inUse && prompt.modelSha256 !== model) inUse = false;
  recipes = known.filter(({ needs }) => needs !== "descriptions");
  const was = recipe.value;
  recipe.replaceChildren(...recipes.map(({ name }) => new Option(name, name)));
  recipe.value = recipes.some(({ name }) => name === was) ? was : "coop";
  render();
}

/** Follows the names of the list, and whether an engine is there. */
export function showNames(names, usable) {
  ready = usable;
  const was = single.value;
  single.replaceChildren(...names.map((name) => new Option(name, name)));
  if (names.includes(was)) single.value = was;
  render();
}

function showStage({ stage: name, loaded, total, loss }) {
  if (name === "photos") say(stage, "teach.looking", { done: Math.min(loaded + 1, total), total });
  else if (loss !== undefined) say(stage, "teach.step", { done: loaded, total });
  else if (name === "validate") say(stage, "teach.checking", { done: Math.min(loaded + 1, total), total });
  else return;
  progress.max = total;
  progress.value = loaded;
}

function describeReport({ report: learned, recipe: name, labels }) {
  if (!learned) {
    say(report, "teach.read", { recipe: name, count: labels.length });
    return;
  }
  const values = {
    recipe: name,
    count: learned.images,
    seconds: () => learned.seconds.toLocaleString(undefined, { maximumFractionDigits: 1 }),
    n: learned.measured,
    before: () => percent(learned.accuracyBefore),
    after: () => percent(learned.accuracyAfter),
    failed: learned.failures.length,
  };
  const key = learned.accuracyAfter === null ? "teach.learned" : "teach.measured";
  say(report, learned.failures.length > 0 ? `${key}-without` : key, values);
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
    cell.textContent = error.message;
    line.append(cell);
  } else {
    line.toggleAttribute("data-changed", before.label !== after.label);
  }
  return line;
}

function classRow([label, own]) {
  const item = document.createElement("li");
  const name = document.createElement("bdi");
  name.textContent = label;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "chip-remove";
  button.value = label;
  button.setAttribute("aria-label", t("teach.remove", { label }));
  button.textContent = "×";
  item.className = "chip";
  item.append(name, ` ${integer(own.length)}`, button);
  return item;
}

function render() {
  const chosenRecipe = recipes.find(({ name }) => name === recipe.value);
  plain(summary, chosenRecipe?.summary);
  plain(paper, chosenRecipe?.paper);
  epochsField.hidden = !chosenRecipe?.parameters.some(({ name }) => name === "epochs");
  list.replaceChildren(...[...photos].map(classRow));
  list.hidden = photos.size === 0;
  say(counted, photos.size > 0 ? "teach.photos" : "teach.no-photos", { count: all().length, classes: photos.size });
  const needed = chosenRecipe?.needs === "images" || chosenRecipe?.needs === "unlabelled";
  start.setAttribute("aria-disabled", String(!ready || job !== null || (needed && photos.size === 0)));
  start.hidden = job !== null;
  working.hidden = job === null;
  save.disabled = drop.disabled = prompt === null;
  say(use, inUse ? "teach.unuse" : "teach.use");
  use.setAttribute("aria-pressed", String(inUse));
  if (inUse) say(state, "teach.state-used", { recipe: prompt.recipe });
  else say(state, prompt ? "teach.state-ready" : "teach.state-none");
  drawer.toggleAttribute("data-on", inUse);
}

onLanguage(() => {
  describe();
  render();
});
render();
