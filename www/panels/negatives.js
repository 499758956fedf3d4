/** The other words that NegLabel and LAPT compare with: shown, struck, added, or a list of one's own. */
import { announce } from "../ui/announce.js";
import { plain, say, t } from "../ui/i18n.js";
import { showProblem } from "../ui/problem.js";
import { stageText } from "../ui/stages.js";

const panel = document.getElementById("negatives");
const count = document.getElementById("negatives-count");
const list = document.getElementById("negatives-list");
const find = document.getElementById("negatives-find");
const adder = document.getElementById("negatives-add");
const field = document.getElementById("negatives-word");
const chooser = document.getElementById("negatives-file");
const restore = document.getElementById("negatives-restore");
const note = document.getElementById("negatives-note");
const problem = document.getElementById("negatives-error");
const chipTemplate = document.getElementById("chip-template");

/** The scores that read them. */
const READERS = ["neglabel", "lapt"];
/** The most words that are drawn at once; the others are found by typing. */
const DRAWN = 200;
/** The largest list in bytes. */
const MAX_BYTES = 4 * 1024 * 1024;

/** What the reader changed of the words that are mined. */
let struck = [];
let added = [];
/** A list of the reader's own, in place of mined words. @type {string[] | null} */
let given = null;
/** The words in use, as far as they are known. @type {string[]} */
let words = [];
/** Whether the words on show are those of the class list as it is. */
let fresh = false;
let score = "";
let mine = null;
let changed = () => {};
let working = null;

/** The options of `classify` that this panel decides. */
export const getNegatives = () => (given && READERS.includes(score) ? { negatives: given } : {});

const edited = () => given === null && struck.length + added.length > 0;

/** Whether the score reads mined words that were edited, so that they are to be mined with the edits. */
export const wanted = () => edited() && READERS.includes(score);

/** What a recipe that learns from such words is to learn from; the engine's own choice without edits. */
export const forTraining = () => ((given || edited()) && words.length > 0 ? { negatives: words } : {});

/** How they are to be mined. */
export const edits = () => ({ struck, added });

/** Takes over edits of a link. */
export function setEdits(given) {
  ({ struck = [], added = [] } = given);
}

/**
 * @param {object} page
 * @param {(how: object) => Promise<import("../pkg/index.js").Negatives> | null} page.mine null without classes
 * @param {() => void} page.changed the words are others
 */
export function onNegatives(page) {
  ({ mine, changed } = page);
  panel.addEventListener("toggle", () => panel.open && void read());
  find.addEventListener("input", draw);
  adder.addEventListener("submit", (event) => {
    event.preventDefault();
    const word = field.value.trim();
    field.value = "";
    if (!word || words.includes(word)) return;
    struck = struck.filter((other) => other !== word);
    if (given) given = [...given, word];
    else added = [...added, word];
    void use("negatives.added", word);
  });
  chooser.addEventListener("change", async () => {
    const [file] = chooser.files;
    chooser.value = "";
    if (!file) return;
    const read = await wordsOf(file);
    if (read.length === 0) return void say(note, "negatives.unreadable", { file: file.name });
    given = read;
    void use("negatives.loaded", file.name);
  });
  restore.addEventListener("click", () => {
    [struck, added, given] = [[], [], null];
    void use("negatives.restored", "");
  });
}

/** Shows the panel for a score that reads the words. */
export function showNegatives(chosen) {
  score = chosen;
  panel.hidden = !READERS.includes(chosen);
}

/** The class list is another, so that other words may be far from it. */
export function forgetWords() {
  working?.abort();
  fresh = false;
  if (panel.open && !panel.hidden) void read();
}

/** One word per line, or a JSON array. */
async function wordsOf(file) {
  if (file.size > MAX_BYTES) return [];
  const text = (await file.text()).replace(/^\uFEFF/, "");
  let found;
  try {
    found = JSON.parse(text);
  } catch {
    found = text.split(/\r?\n/);
  }
  if (!Array.isArray(found) || found.some((word) => typeof word !== "string")) return [];
  return [...new Set(found.map((word) => word.trim()).filter(Boolean))];
}

async function use(message, word) {
  fresh = false;
  await read();
  announce(t(message, { word, count: words.length }));
  changed();
}

/** Mines the words with the edits, or takes the reader's own. */
async function read() {
  working?.abort();
  showProblem(problem, null);
  if (given) {
    words = given;
    fresh = true;
  } else if (!fresh) {
    const job = new AbortController();
    working = job;
    const onProgress = (event) => job.signal.aborted || plain(note, stageText(event));
    try {
      const mined = await mine({ ...edits(), signal: job.signal, onProgress });
      if (job.signal.aborted || !mined) return;
      words = mined.labels;
      fresh = true;
    } catch (error) {
      if (!job.signal.aborted) showProblem(problem, error);
      return;
    } finally {
      if (working === job) working = null;
    }
  }
  draw();
}

function draw() {
  const part = find.value.trim().toLowerCase();
  const found = part ? words.filter((word) => word.toLowerCase().includes(part)) : words;
  list.replaceChildren(...found.slice(0, DRAWN).map(chip));
  say(count, "negatives.count", { count: words.length });
  const more = found.length - DRAWN;
  if (more > 0) say(note, "negatives.more", { count: more });
  else if (found.length === 0) say(note, "negatives.not-found");
  else say(note, given ? "negatives.own" : "negatives.mined");
  restore.hidden = given === null && !edited();
}

function chip(word) {
  const item = chipTemplate.content.firstElementChild.cloneNode(true);
  item.querySelector(".chip-name").textContent = word;
  const remove = item.querySelector(".chip-remove");
  remove.setAttribute("aria-label", t("negatives.strike", { word }));
  remove.addEventListener("click", () => {
    if (given) given = given.filter((other) => other !== word);
    else if (added.includes(word)) added = added.filter((other) => other !== word);
    else struck = [...struck, word];
    find.focus();
    void use("negatives.struck", word);
  });
  return item;
}
