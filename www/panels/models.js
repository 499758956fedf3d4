/** The Models drawer: which model answers, what each one is, and what this browser keeps of them. */
import { PromptLens } from "../pkg/index.js";
import { announce } from "../ui/announce.js";
import { integer, isolate, megabytes } from "../ui/format.js";
import { known, onLanguage, say, t } from "../ui/i18n.js";
import { LOCAL } from "../ui/local.js";
import { modelCard } from "../ui/modelcard.js";
import { showProblem } from "../ui/problem.js";
import { needs, suggested, thisDevice } from "../ui/suggest.js";

const drawer = document.getElementById("models");
const state = document.getElementById("models-state");
const list = document.getElementById("models-list");
const form = document.getElementById("models-own");
const address = document.getElementById("models-address");
const chooser = document.getElementById("models-folder");
const formSelect = document.getElementById("models-form");
const run = document.getElementById("models-run");
const stage = document.getElementById("models-stage");
const bar = document.getElementById("models-progress");
const cancel = document.getElementById("models-cancel");
const problem = document.getElementById("models-error");
const room = document.getElementById("models-room");
const template = document.getElementById("model-template");

/** Whether this page was built to ask a hub at all. */
const hasHub = document.querySelector("meta[name=promptlens-hub]").content !== "";
/** What is loaded: an address as `stored()` gives it. */
let current = "";
/** @type {AbortController | null} */
let loading = null;
/**
 * @typedef {{model: any, address: string | null, quantization?: string}} Choice `model` as
 *   `PromptLens.load` takes it, and `address` as a link holds it, where it has one
 */
/** @type {(choice: Choice, how: object) => Promise<import("../pkg/index.js").Info>} */
let load;

/** Stands for the address of files that the reader chose. */
const FILES = "files:";

/** A model's address as `stored()` gives it. */
function addressOf(model) {
  return typeof model === "string" ? PromptLens.models.address(model) : FILES;
}

/** An address for links: what lies beside the page is named from there, so that the page can move. */
function linkOf(address) {
  const here = new URL("./", document.baseURI).href;
  if (address === FILES) return null;
  return address.startsWith(here) ? `./${address.slice(here.length)}` : address;
}

const hubName = ({ repository }) => `hf:${repository}`;

/** Whether the model that answers does so on the GPU; the next one will too. */
let onGpu = false;

/** What there is to know of a row of the table before it is loaded. */
function factsOf(entry) {
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
    entry.id === suggested(thisDevice(onGpu)) && t("models.suggested"),
    known(`models.for.${entry.id}`) && t(`models.for.${entry.id}`),
    !entry.phone && t("models.no-phone"),
  ];
  return [...marks.filter(Boolean), facts].join(" · ");
}

/** What `PromptLens.load` takes for a model: the entry of the table where it has that address. */
export const modelAt = (model) => PromptLens.models.table.find((entry) => hubName(entry) === model) ?? model;

/** Everything that can be chosen: the models beside the page, the table, and what else is kept. */
function entries(stored) {
  const all = [
    ...LOCAL.map(({ model, key }) => ({ model, address: model, name: t(`models.${key}`), note: t(`models.${key}-note`), local: key })),
    ...(hasHub ? PromptLens.models.table : []).map((entry) => ({
      model: entry,
      address: hubName(entry),
      name: entry.name,
      note: factsOf(entry),
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

async function render() {
  const stored = await PromptLens.models.stored().catch(() => []);
  // Asked for last: the list may be rendered twice at a time, and what has the focus is made anew.
  const focused = document.activeElement?.dataset.model;
  list.replaceChildren(...entries(stored).map(row));
  const unfinished = stored.filter(({ complete }) => !complete);
  if (unfinished.length > 0) list.append(leftover(unfinished));
  if (focused) list.querySelector(`[data-model="${CSS.escape(focused)}"]`)?.focus();
  const { used, quota, kind } = await PromptLens.models.usage().catch(() => ({ kind: null }));
  if (kind === null) say(room, "models.no-store");
  else say(room, "models.room", { used: () => megabytes(used ?? 0), quota: () => megabytes(quota ?? 0) });
}

function row({ model, address, name, note, local, kept }) {
  const item = template.content.firstElementChild.cloneNode(true);
  const loaded = address === current;
  item.toggleAttribute("data-current", loaded);
  item.querySelector("bdi").textContent = name;
  item.querySelector(".model-note").textContent = note;
  const lines = kept.map(({ quantization, bytes, source }) =>
    t(source.commit ? "models.kept-commit" : "models.kept", {
      form: quantization,
      size: megabytes(bytes),
      hash: source.sha256.slice(0, 12),
      commit: source.commit?.slice(0, 7) ?? "",
    }),
  );
  item.querySelector(".model-kept").textContent = lines.join("\n");
  if (local || model.sources) item.append(modelCard(name, local ?? model));
  const use = item.querySelector(".model-use");
  use.dataset.model = address;
  say(use, loaded ? "models.in-use" : "models.use");
  use.setAttribute("aria-label", `${use.textContent}: ${name}`);
  use.setAttribute("aria-pressed", String(loaded));
  use.addEventListener("click", () => void choose(model, address, name));
  const remove = item.querySelector(".model-delete");
  remove.hidden = kept.length === 0;
  remove.setAttribute("aria-label", t("models.delete-one", { name }));
  remove.addEventListener("click", () => void discard(kept, name));
  return item;
}

function leftover(unfinished) {
  const item = template.content.firstElementChild.cloneNode(true);
  item.querySelector("bdi").textContent = t("models.unfinished");
  item.querySelector(".model-note").textContent = megabytes(unfinished.reduce((sum, { bytes }) => sum + bytes, 0));
  item.querySelector(".model-use").hidden = true;
  const remove = item.querySelector(".model-delete");
  remove.setAttribute("aria-label", t("models.delete-one", { name: t("models.unfinished") }));
  remove.addEventListener("click", () => void discard(unfinished, t("models.unfinished")));
  return item;
}

async function discard(kept, name) {
  showProblem(problem, null);
  try {
    // What the hub said of a model goes with it, or it would tell for ever what was loaded here.
    for (const { id } of kept) await PromptLens.models.delete(id, { forget: true });
    announce(t("models.deleted", { name }));
  } catch (error) {
    showProblem(problem, error);
  }
  await render();
  drawer.querySelector("summary").focus();
}

function progress({ stage: what, loaded, total, source, bytesPerSecond, secondsLeft, reason }) {
  if (what === "store") {
    announce(t(`models.not-kept-${reason}`));
    return;
  }
  const name = known(`status.${what}`) ? t(`status.${what}`) : what;
  const parts = [name];
  if (loaded > 1024) parts.push(total ? t("models.bytes-of", { loaded: megabytes(loaded), total: megabytes(total) }) : megabytes(loaded));
  if (what === "weights") parts.push(t(source === "cache" ? "status.cache" : "status.network"));
  if (bytesPerSecond) parts.push(t("models.rate", { rate: megabytes(bytesPerSecond) }));
  if (secondsLeft !== null && secondsLeft !== undefined) parts.push(t("models.left", { count: Math.ceil(secondsLeft) }));
  stage.textContent = parts.join(" · ");
  if (total && loaded > 1024) {
    bar.max = total;
    bar.value = loaded;
  } else {
    bar.removeAttribute("value");
  }
}

/** Loads a model beside the one that answers, which stays until the new one is ready; whether it is. */
async function choose(model, address, name) {
  loading?.abort();
  const mine = new AbortController();
  loading = mine;
  showProblem(problem, null);
  run.hidden = false;
  // What was pressed may stand below a long list.
  run.scrollIntoView({ block: "nearest" });
  stage.textContent = t("status.starting");
  bar.removeAttribute("value");
  try {
    const packed = LOCAL.some((local) => local.model === address);
    const quantization = packed || formSelect.value === "stored" ? undefined : formSelect.value;
    const onProgress = (event) => loading === mine && progress(event);
    const info = await load({ model, address: linkOf(address), quantization }, { signal: mine.signal, onProgress });
    current = address;
    show(info);
    announce(t("models.ready", { name }));
    return true;
  } catch (error) {
    if (error.code === "engine/cancelled") announce(t("models.cancelled"));
    else {
      showProblem(problem, error);
      problem.scrollIntoView({ block: "nearest" });
    }
    return false;
  } finally {
    if (loading === mine) {
      loading = null;
      run.hidden = true;
    }
    await render();
  }
}

/** Has one of the page's own models answer; whether it does. @param {import("../ui/local.js").Local} local */
export const useLocal = ({ model, key }) => choose(model, model, t(`models.${key}`));

function show({ model, quantization, device }) {
  onGpu = device.kind === "webgpu";
  say(state, "models.state", { model, form: quantization });
}

/** Opens the list of models at the one that suits this device. */
export async function offerBigger() {
  drawer.open = true;
  await render();
  const wanted = suggested(thisDevice(onGpu));
  const entry = PromptLens.models.table.find(({ id }) => id === wanted);
  const button = entry && list.querySelector(`[data-model="${CSS.escape(hubName(entry))}"]`);
  button?.scrollIntoView({ block: "center" });
  button?.focus();
}

/** The files right inside a folder that was dropped. */
async function filesOf(directory) {
  const reader = directory.createReader();
  const files = [];
  for (;;) {
    const batch = await new Promise((done, fail) => reader.readEntries(done, fail));
    if (batch.length === 0) return files;
    for (const entry of batch) {
      if (entry.isFile) files.push(await new Promise((done, fail) => entry.file(done, fail)));
    }
  }
}

/** Where the hub cannot be reached, which is where most read Chinese, own addresses and files come first. */
function arrange() {
  const own = [form, chooser.closest("p")];
  if (document.documentElement.lang.startsWith("zh")) list.before(...own);
  else list.after(...own);
}

/** The model that answers was loaded, by whatever way. */
export function showModel(model, info) {
  current = addressOf(model);
  show(info);
  if (drawer.open) void render();
}

/**
 * @param {(choice: Choice, how: {signal: AbortSignal, onProgress: (event: any) => void}) => Promise<any>} loader
 *   loads a model and makes it the one that answers; resolves with its info
 */
export function onModel(loader) {
  load = loader;
  arrange();
  drawer.addEventListener("toggle", () => drawer.open && void render());
  onLanguage(() => {
    arrange();
    if (drawer.open) void render();
  });
  cancel.addEventListener("click", () => loading?.abort());
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const own = address.value.trim();
    if (!own) return;
    try {
      const place = addressOf(own);
      void choose(modelAt(place), place, own);
    } catch (error) {
      showProblem(problem, error);
    }
  });
  chooser.addEventListener("change", () => {
    const files = [...chooser.files];
    chooser.value = "";
    if (files.length > 0) void choose(files, FILES, files[0].webkitRelativePath.split("/")[0]);
  });
  drawer.addEventListener("dragover", (event) => event.preventDefault());
  drawer.addEventListener("drop", async (event) => {
    const dropped = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).find((entry) => entry?.isDirectory);
    if (!dropped) return;
    event.preventDefault();
    event.stopPropagation();
    const files = await filesOf(dropped);
    void choose(files, FILES, dropped.name);
  });
}
