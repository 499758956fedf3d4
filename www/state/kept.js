import { emptyRecord, readRecord, recordOf, writeRecord } from "./record.js";

/** The record's name in the storage of the tab and in that of the site. */
const KEY = "promptlens.work";
/** The folder of prompt files. */
const FOLDER = "prompts";
/** Prompt files that are kept: each tab may use one, and one more per lesson would fill the disk. */
const MOST_PROMPTS = 4;

/**
 * The class list and what was taught, kept in this browser.
 *
 * The record is written at once with each change: to the storage of the tab, which outlives a reload and a
 * crash and which no other tab writes, and to that of the site, from which the next visit starts. A prompt
 * lies in a file that is called by its hash. Nothing depends on a clock. If the browser takes no more, the page
 * goes on with what it holds, and `problem` says why.
 *
 * Event `change`: `problem` or `any` is another.
 */
export class KeptWork extends EventTarget {
  /** Why changes are not kept: no room, or no storage. @type {"room" | "storage" | null} */
  problem = null;
  /** What the page starts from. @type {import("./record.js").Record} */
  record = emptyRecord();
  /** Whether the page starts from something that was kept. */
  resumed = false;
  /** Whether a part of it could not be read. */
  damaged = false;
  /** Whether this browser keeps something for the next visit. */
  any = false;
  #session;
  #tab;
  #site;
  #openFiles;
  /** @type {Promise<import("../pkg/storage/storage.js").FileStorage> | null} */
  #files = null;
  /** The record as it was written last, or as the page started. */
  #written = "";
  /** SHA-256 of the prompt at hand, if its file is kept. @type {string | null} */
  #prompt = null;
  /** Whether the kept prompt has not been taken back yet. */
  #waits = false;
  /** Settled once the files are as they should be. */
  #filing = Promise.resolve();
  /** Settled once the page has started. */
  begun;
  #begin;

  /**
   * @param {import("../session.js").Session} session
   * @param {object} browser
   * @param {Storage | null} browser.tab the storage of this tab; `null`: there is none
   * @param {Storage | null} browser.site the storage that all tabs share
   * @param {() => Promise<import("../pkg/storage/storage.js").FileStorage>} browser.openFiles
   * @param {object} visit
   * @param {boolean} visit.linked whether the address says what to start from
   * @param {boolean} visit.reloaded whether this tab showed the page just before
   */
  constructor(session, { tab, site, openFiles }, { linked, reloaded }) {
    super();
    this.#session = session;
    this.#tab = tab;
    this.#site = site;
    this.#openFiles = openFiles;
    this.begun = new Promise((resolve) => {
      this.#begin = resolve;
    });
    const [own, last] = [textIn(this.#tab), textIn(this.#site)];
    this.any = last !== null;
    // A link wins, but for a tab that is reloaded after work on what the link began.
    if (linked && !(reloaded && own !== null)) return void this.#tab?.removeItem(KEY);
    const text = own ?? last;
    if (text === null) return;
    Object.assign(this, readRecord(text), { resumed: true });
    this.#prompt = this.record.prompt?.sha256 ?? null;
    this.#waits = this.#prompt !== null;
  }

  /** Keeps every change from now on. */
  begin() {
    this.#written = this.#text();
    // Another tab may take the place of this one's work in the storage of the site.
    if (this.resumed) this.#put(this.#tab, this.#written);
    this.#session.addEventListener("change", () => this.#write());
    this.#begin();
  }

  /** Whether the kept prompt answered, or does. */
  get promptUsed() {
    if (this.#waits) return this.record.prompt.used;
    return this.#session.prompt !== null && this.#session.promptSha256 === this.#prompt;
  }

  #text() {
    return writeRecord(recordOf(this.#session, this.#prompt && { sha256: this.#prompt, used: this.promptUsed }));
  }

  #write() {
    const text = this.#text();
    if (text === this.#written) return;
    this.#written = text;
    const inTab = this.#put(this.#tab, text);
    if (this.#put(this.#site, text) && inTab) this.#tell({ problem: null, any: true });
  }

  #put(storage, text) {
    try {
      if (storage === null) throw new Error("There is no storage.");
      storage.setItem(KEY, text);
      return true;
    } catch (error) {
      // What was kept before stays: it is more than nothing.
      this.#fail(error);
      return false;
    }
  }

  #fail(error) {
    this.#tell({ problem: error?.name === "QuotaExceededError" ? "room" : "storage" });
  }

  #tell(now) {
    const changed = Object.keys(now).some((name) => this[name] !== now[name]);
    Object.assign(this, now);
    if (changed) this.dispatchEvent(new Event("change"));
  }

  /** Another tab has written to the storage of the site. @param {StorageEvent} event */
  follow({ key, newValue, storageArea }) {
    if (storageArea !== this.#site || (key !== null && key !== KEY)) return;
    if (newValue === null) this.#tab?.removeItem(KEY);
    this.#tell({ any: newValue !== null });
  }

  // Prompt files.

  /** Does `work` with the files, after what was asked for before. */
  #withFiles(work) {
    const done = this.#filing.then(async () => work(await (this.#files ??= this.#openFiles())));
    this.#filing = done.catch(() => {});
    return done;
  }

  /**
   * The file of the kept prompt until `takePrompt()`, and the SHA-256 that it must have; `null`: there is
   * none. `bytes` is `null` if the browser has deleted it.
   *
   * @returns {Promise<{bytes: Uint8Array | null, sha256: string} | null>}
   */
  async openPrompt() {
    if (!this.#waits) return null;
    const sha256 = this.#prompt;
    return { bytes: await this.#withFiles((files) => files.read(FOLDER, sha256)), sha256 };
  }

  /** The prompt of `openPrompt()` is at hand now. */
  takePrompt() {
    this.#waits = false;
  }

  /** Keeps the prompt at hand. @param {string | null} sha256 of its file; `null`: this page cannot compute one */
  async keepPrompt(prompt, sha256) {
    [this.#prompt, this.#waits] = [null, false];
    try {
      await this.#withFiles(async (files) => {
        if (sha256 === null) throw new Error("A page without HTTPS has no storage for files.");
        await files.write(FOLDER, sha256, new Uint8Array(await prompt.toBlob().arrayBuffer()));
        const others = (await files.list()).filter(({ folder, file }) => folder === FOLDER && file !== sha256);
        // The oldest first.
        for (const { file } of others.slice(0, Math.max(0, others.length + 1 - MOST_PROMPTS))) await files.drop(FOLDER, file);
      });
      this.#prompt = sha256;
    } catch (error) {
      this.#fail(error);
    }
    this.#write();
  }

  /** Keeps the prompt no longer. */
  async dropPrompt() {
    const sha256 = this.#prompt;
    [this.#prompt, this.#waits] = [null, false];
    this.#write();
    if (sha256 !== null) await this.#withFiles((files) => files.drop(FOLDER, sha256)).catch(() => {});
  }

  /** Deletes all that is kept. The page keeps showing what it shows, and the next change is kept again. */
  async forget() {
    for (const storage of [this.#tab, this.#site]) storage?.removeItem(KEY);
    [this.#prompt, this.#waits] = [null, false];
    this.#written = this.#text();
    this.#tell({ any: false });
    await this.#withFiles((files) => files.clear(FOLDER)).catch(() => {});
  }
}

/** @param {Storage | null} storage */
function textIn(storage) {
  try {
    return storage?.getItem(KEY) ?? null;
  } catch {
    return null;
  }
}
