import { DoubtfulPairs } from "../state/pairs.js";
import { announce } from "../ui/announce.js";
import { download } from "../ui/download.js";
import { onLanguage, setMessage, t } from "../ui/i18n.js";
import { showProblem } from "../ui/problem.js";
import { Panel } from "./panel.js";

/** The file that is saved. */
const NAME = "confused-pairs.json";
/** A larger file is none of texts about pairs. */
const MOST_BYTES = 4 << 20;
/** Pairs that are listed. */
const MOST_LISTED = 8;

/**
 * The pairs of classes that photos leave in doubt, the file that asks what tells them apart, and the file that says so.
 *
 * Event `change`: there are other pairs.
 */
export class PairsPanel extends Panel {
  #look = this.#part("look");
  #working = this.#part("run");
  #progress = this.#part("progress");
  #problem = this.#part("error");
  #file = this.#part("file");
  #notice = document.getElementById("pile-confused");
  #pairs;
  #photos;
  #learn;
  /** The photos to learn from are being answered. @type {AbortController | null} */
  #job = null;
  events = new EventTarget();

  /**
   * @param {HTMLElement} root
   * @param {import("../session.js").Session} session
   * @param {object} page
   * @param {() => File[]} page.photos those to learn from
   * @param {(descriptions: object) => Promise<Error | null>} page.learn learns from a filled file, and says what is wrong with it
   * @param {() => void} page.open shows the place that this panel is in
   */
  constructor(root, session, { photos, learn, open }) {
    super(root, session);
    this.#photos = photos;
    this.#learn = learn;
    this.#pairs = new DoubtfulPairs(session);
    this.#pairs.addEventListener("change", () => {
      this.#show();
      this.events.dispatchEvent(new Event("change"));
    });
    this.#look.addEventListener("click", () => void this.#count());
    this.#part("cancel").addEventListener("click", () => this.#job?.abort());
    this.#part("save").addEventListener("click", () => {
      download(NAME, this.#pairs.found.toBlob());
      announce(t("pairs.saved", { name: NAME }));
    });
    this.#file.addEventListener("change", () => {
      const [file] = this.#file.files;
      this.#file.value = "";
      if (file) void this.#open(file);
    });
    root.addEventListener("dragover", (event) => event.preventDefault());
    root.addEventListener("drop", (event) => {
      // Photos that are dropped here are to learn from, as anywhere in Teach.
      const [file] = event.dataTransfer.files;
      if (!file?.name.toLowerCase().endsWith(".json")) return;
      event.preventDefault();
      void this.#open(file);
    });
    document.getElementById("pile-apart").addEventListener("click", () => {
      open();
      this.focus();
    });
    this.on("change", () => this.render());
    onLanguage(() => this.#show());
    this.#show();
  }

  #part(name) {
    return this.find(`pairs-${name}`);
  }

  /** How many pairs there are. */
  get count() {
    return this.#pairs.found?.pairs.length ?? 0;
  }

  /** Brings the focus here. */
  focus() {
    this.#part("title").focus();
  }

  /** Answers the photos to learn from, which then count too. */
  async #count() {
    const { signal } = (this.#job = new AbortController());
    const files = this.#photos();
    showProblem(this.#problem, null);
    const onProgress = (done) => {
      setMessage(this.#part("stage"), "pairs.stage", { done: done + 1, total: files.length });
      Object.assign(this.#progress, { max: files.length, value: done });
    };
    onProgress(0);
    this.render();
    this.#part("cancel").focus();
    try {
      await this.#pairs.look(files, { signal, onProgress });
      announce(this.#part("count").textContent);
    } catch (error) {
      if (signal.aborted) announce(t("pairs.stopped"));
      else showProblem(this.#problem, error);
    } finally {
      const focused = this.#working.contains(document.activeElement);
      this.#job = null;
      this.render();
      if (focused) (signal.aborted ? this.#look : this.#part("title")).focus();
    }
  }

  /** Learns from a filled file. */
  async #open(file) {
    showProblem(this.#problem, null);
    const error = await parsed(file).then(this.#learn, (wrong) => wrong);
    showProblem(this.#problem, error);
    if (error) this.#file.focus();
  }

  #show() {
    const { found } = this.#pairs;
    const pairs = found?.pairs ?? [];
    const listed = pairs.slice(0, MOST_LISTED).map(({ classes: [first, second], images }) => {
      const item = document.createElement("li");
      item.textContent = t("pairs.pair", { first, second, count: images });
      return item;
    });
    const list = this.#part("list");
    list.replaceChildren(...listed);
    list.hidden = this.#part("save").hidden = pairs.length === 0;
    const said = found === null ? "pairs.none" : pairs.length > 0 ? "pairs.these" : "pairs.no-doubt";
    setMessage(this.#part("count"), said, { count: found?.photos, doubtful: found?.doubtful });
    const more = pairs.length - listed.length;
    this.#part("more").hidden = more === 0;
    setMessage(this.#part("more"), "pairs.more", { count: more });
    this.#notice.hidden = pairs.length === 0;
    if (pairs.length > 0) {
      const [first, second] = pairs[0].classes;
      setMessage(this.#notice.querySelector("span"), "pairs.in-look", { first, second });
    }
    this.render();
  }

  /** Shows whether there are photos to learn from, and whether they are being answered. */
  render() {
    const photos = this.#photos().length;
    const running = this.#job !== null;
    this.#look.hidden = running || photos === 0;
    this.#look.disabled = !this.session.usable || this.session.names.length < 2;
    setMessage(this.#look, "pairs.look", { count: photos });
    this.#working.hidden = !running;
    this.#file.disabled = !this.session.usable;
  }
}

/** What a filled file says; what is in it, the engine checks. @param {File} file */
async function parsed(file) {
  if (file.size > MOST_BYTES) throw problem("data/too-large", "pairs.too-large");
  try {
    const found = JSON.parse(await file.text());
    // The engine takes it as text: what nests too deeply for that is refused here.
    JSON.stringify(found);
    if (typeof found === "object" && found !== null) return found;
  } catch {
    // It is no JSON then.
  }
  throw problem("prompt/invalid", "pairs.unreadable");
}

/** An error with a sentence of the page. */
export const problem = (code, key) => Object.assign(new Error(t(key)), { code, key });
