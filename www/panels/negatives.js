import { READERS } from "../state/negatives.js";
import { announce } from "../ui/announce.js";
import { setMessage, setText, t } from "../ui/i18n.js";
import { showProblem } from "../ui/problem.js";
import { stageText } from "../ui/stages.js";
import { wordsOf } from "../ui/words.js";
import { Panel } from "./panel.js";

/** The most words that are drawn at once; the others are found by typing. */
const DRAWN = 200;

/** The other words that NegLabel and LAPT compare with: shown, struck, added, or a list of the user's own. */
export class NegativesPanel extends Panel {
  #list = this.find("negatives-list");
  #find = this.find("negatives-find");
  #note = this.find("negatives-note");
  #problem = this.find("negatives-error");
  #chipTemplate = document.getElementById("chip-template");
  /** Stops the reading of words that no longer matter. @type {AbortController | null} */
  #job = null;

  /**
   * @param {HTMLElement} root
   * @param {import("../session.js").Session} session
   * @param {{edits: {struck: string[], added: string[]}}} link
   */
  constructor(root, session, { edits }) {
    super(root, session);
    const { negatives } = session;
    Object.assign(negatives, edits);
    root.addEventListener("toggle", () => root.open && void this.#read());
    this.#find.addEventListener("input", () => this.#draw());
    const field = this.find("negatives-word");
    this.find("negatives-add").addEventListener("submit", (event) => {
      event.preventDefault();
      const word = field.value.trim();
      field.value = "";
      if (word && negatives.add(word)) void this.#use("negatives.added", word);
    });
    const chooser = this.find("negatives-file");
    chooser.addEventListener("change", async () => {
      const [file] = chooser.files;
      chooser.value = "";
      if (file) await this.#load(file);
    });
    this.find("negatives-restore").addEventListener("click", () => {
      negatives.restore();
      void this.#use("negatives.restored", "");
    });
    this.on("change", () => this.#render());
    this.on("classes", () => this.#forget());
    this.#render();
  }

  #render() {
    this.root.hidden = !READERS.includes(this.session.rejection.score);
  }

  /** Other words may be far from another class list. */
  #forget() {
    this.#job?.abort();
    if (this.root.open && !this.root.hidden) void this.#read();
  }

  async #load(file) {
    const words = await wordsOf(file);
    if (words.length === 0) return void setMessage(this.#note, "negatives.unreadable", { file: file.name });
    this.session.negatives.replace(words);
    await this.#use("negatives.loaded", file.name);
  }

  async #use(message, word) {
    await this.#read();
    announce(t(message, { word, count: this.session.negatives.words.length }));
    this.session.useOptions();
  }

  /** Shows the words in use, which may have to be mined first. */
  async #read() {
    this.#job?.abort();
    showProblem(this.#problem, null);
    const job = new AbortController();
    this.#job = job;
    const onProgress = (event) => job.signal.aborted || setText(this.#note, stageText(event));
    try {
      if (await this.session.findNegatives({ signal: job.signal, onProgress })) this.#draw();
    } catch (error) {
      if (!job.signal.aborted) showProblem(this.#problem, error);
    }
  }

  #draw() {
    const { words, own, edited } = this.session.negatives;
    const part = this.#find.value.trim().toLowerCase();
    const found = part ? words.filter((word) => word.toLowerCase().includes(part)) : words;
    this.#list.replaceChildren(...found.slice(0, DRAWN).map((word) => this.#chip(word)));
    setMessage(this.find("negatives-count"), "negatives.count", { count: words.length });
    const more = found.length - DRAWN;
    if (more > 0) setMessage(this.#note, "negatives.more", { count: more });
    else if (found.length === 0) setMessage(this.#note, "negatives.not-found");
    else setMessage(this.#note, own ? "negatives.own" : "negatives.mined");
    this.find("negatives-restore").hidden = own === null && !edited;
  }

  #chip(word) {
    const item = this.#chipTemplate.content.firstElementChild.cloneNode(true);
    item.querySelector(".chip-name").textContent = word;
    const remove = item.querySelector(".chip-remove");
    remove.setAttribute("aria-label", t("negatives.strike", { word }));
    remove.addEventListener("click", () => {
      this.session.negatives.strike(word);
      this.#find.focus();
      void this.#use("negatives.struck", word);
    });
    return item;
  }
}
