import { announce } from "../ui/announce.js";
import { integer } from "../ui/format.js";
import { say, t } from "../ui/i18n.js";
import { namesFromFile, PRESETS } from "../ui/presets.js";
import { tidy } from "../ui/tidy.js";
import { problemText, showProblem } from "../ui/problem.js";

const chips = document.getElementById("chips");
const chipTemplate = document.getElementById("chip-template");
const adder = document.getElementById("names-add");
const input = document.getElementById("name-input");
const textField = document.getElementById("names-text");
const area = document.getElementById("names-area");
const mode = document.getElementById("names-mode");
const count = document.getElementById("names-count");
const clear = document.getElementById("names-clear");
const restore = document.getElementById("names-restore");
const template = document.getElementById("template");
const file = document.getElementById("names-file");
const note = document.getElementById("names-note");
const preset = document.getElementById("preset");

/** Time without typing after which an edit counts. */
const PAUSE_MS = 500;

let names = [];
/** Those with a word that the model never read. @type {Set<string>} */
let unknown = new Set();
let bigger = () => {};
let own = [];
let changed = () => {};
/** Reads the names in a file or in a text. @type {(file: File | string) => Promise<import("../pkg/index.js").LabelList>} */
let parse;
let pause = 0;

/** The class names, in order. */
export const getNames = () => [...names];

/** The prompt template. */
export const getTemplate = () => template.value;

/** Sets the names, and the list that "The model's own names" brings back. */
export function setNames(list, modelNames = []) {
  own = modelNames;
  names = [...list];
  render();
}

/** Marks the names with a word that the model never read. @param {string[]} list */
export function markUnknown(list) {
  unknown = new Set(list);
  render();
}

/** Calls `offer` when a reader asks for a model that knows more words. */
export const onBigger = (offer) => void (bigger = offer);

/** Calls `edited` at each edit of the names or the template, and `paused` once typing has paused. */
export function onEdit(edited, paused) {
  changed = () => {
    clearTimeout(pause);
    pause = setTimeout(paused, PAUSE_MS);
    edited();
  };
}

/** Has `read` read the names in files and in what is typed. */
export function onNamesList(read) {
  parse = read;
}

/** Says which names of a file are in the list only once. */
function showRepeated(groups) {
  const SHOWN = 5;
  const told = groups.slice(0, SHOWN).map((group) => [...new Set(group)].join(" = "));
  const names = told.join(", ") + (groups.length > SHOWN ? ", …" : "");
  say(note, "names.repeated", { count: groups.length, names });
  note.hidden = false;
  announce(note.textContent);
}

/** Shows what is wrong with the names or the template, beside the field concerned. */
export function showNamesError(error) {
  const aboutTemplate = error?.code?.startsWith("prompt/");
  showProblem(document.getElementById("names-error"), aboutTemplate ? null : error);
  showProblem(document.getElementById("template-error"), aboutTemplate ? error : null);
  template.setAttribute("aria-invalid", String(Boolean(aboutTemplate)));
  for (const field of [input, area]) field.setAttribute("aria-invalid", String(Boolean(error && !aboutTemplate)));
  if (error) announce(problemText(error));
}

function render() {
  chips.replaceChildren(...names.map(chip));
  if (!textField.hidden) area.value = names.join("\n");
  renderCounts();
}

function renderCounts() {
  count.textContent = names.length ? integer(names.length) : "";
  clear.hidden = names.length === 0;
  restore.hidden = own.length === 0 || own.join("\n") === names.join("\n");
}

function chip(name, index) {
  const item = chipTemplate.content.cloneNode(true).firstElementChild;
  item.querySelector(".chip-name").textContent = name;
  const button = item.querySelector(".chip-remove");
  say(button, "names.remove", { name }, "aria-label");
  button.addEventListener("click", () => removeAt(index));
  const mark = item.querySelector(".chip-unknown");
  mark.hidden = !unknown.has(name);
  say(mark, "names.unknown", { name }, "aria-label");
  say(mark, "names.unknown", { name }, "title");
  mark.addEventListener("click", () => bigger());
  return item;
}

function removeAt(index) {
  const [name] = names.splice(index, 1);
  render();
  const next = chips.children[Math.min(index, names.length - 1)];
  (next?.querySelector(".chip-remove") ?? input).focus();
  announce(t("names.removed", { name }));
  changed();
}

function add(list) {
  const fresh = [];
  for (const name of list) {
    const known = names.indexOf(name);
    if (known >= 0) {
      announce(t("names.known", { name }));
      flash(chips.children[known]);
    } else {
      names.push(name);
      fresh.push(name);
    }
  }
  if (fresh.length === 0) return;
  render();
  announce(t("names.added", { count: fresh.length, name: fresh[0] }));
  changed();
}

/** Puts names that are not there yet into the list, as an edit. */
export const addNames = (list) => add(list);

/** What makes a text more than one plain name. */
const LIST = /[\n\r,\t"[]/;

/**
 * Adds the names in a text. A plain name needs no engine, which may still be loading.
 *
 * @param {string} text
 */
async function addText(text) {
  const name = tidy(text);
  if (name === "") return;
  if (!LIST.test(text)) return void add([name]);
  try {
    add((await parse(text)).labels);
  } catch (error) {
    // Nothing that was typed is lost.
    input.value = text;
    showNamesError(error);
  }
}

/** Draws the eye to the chip that is there already. */
function flash(item) {
  item?.classList.remove("flash");
  void item?.offsetWidth;
  item?.classList.add("flash");
}

function addTyped() {
  const typed = input.value;
  input.value = "";
  void addText(typed);
}

input.addEventListener("keydown", (event) => {
  if (event.isComposing) return;
  if (event.key === "Enter" || event.key === ",") {
    event.preventDefault();
    addTyped();
  } else if (event.key === "Backspace" && input.value === "" && names.length > 0) {
    const name = names.pop();
    render();
    announce(t("names.removed", { name }));
    changed();
  }
});
input.addEventListener("blur", addTyped);
input.addEventListener("paste", (event) => {
  const pasted = event.clipboardData.getData("text/plain");
  if (!/[\n,\t]/.test(pasted)) return;
  event.preventDefault();
  void addText(pasted);
});

// The list itself with a name in each line, whatever is in it: no format that anybody else writes.
area.addEventListener("input", () => {
  names = area.value.split("\n").map(tidy).filter(Boolean);
  renderCounts();
  changed();
});

mode.addEventListener("click", () => {
  const toText = textField.hidden;
  textField.hidden = !toText;
  adder.hidden = toText;
  chips.hidden = toText;
  say(mode, toText ? "names.as-list" : "names.as-text");
  render();
  (toText ? area : input).focus();
});

clear.addEventListener("click", () => {
  setNames([], own);
  (textField.hidden ? input : area).focus();
  announce(t("names.cleared"));
  changed();
});

restore.addEventListener("click", () => {
  setNames(own, own);
  (textField.hidden ? input : area).focus();
  announce(t("names.restored", { count: own.length }));
  changed();
});

file.addEventListener("change", async () => {
  const [chosen] = file.files;
  file.value = "";
  if (!chosen) return;
  try {
    const { labels, repeated } = await namesFromFile(chosen, parse);
    replaceNames(labels);
    if (repeated.length > 0) showRepeated(repeated);
  } catch (error) {
    const own = error.reason && { code: "labels/file", message: t(error.reason, { name: chosen.name }) };
    showNamesError(own || error);
  }
});

preset.addEventListener("change", () => {
  const list = PRESETS[preset.value];
  preset.value = "";
  if (list) replaceNames(list);
});

/** Takes another list instead of the one there is. */
function replaceNames(list) {
  showNamesError(null);
  note.hidden = true;
  setNames(list, own);
  announce(t("names.added", { count: list.length, name: list[0] }));
  changed();
}

template.addEventListener("input", () => changed());
