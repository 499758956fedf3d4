import { Answerer } from "./answerer.js";
import { Queue } from "./queue.js";

/** The photos, and the work on those that wait: one after the other, for the settings as they are. */
export class PhotoWork {
  #session;
  #list;
  #queue = new Queue();
  #answerer;
  #enter;
  #tell;

  /**
   * @param {import("../session.js").Session} session its phase, and the settings of answers
   * @param {object} parts
   * @param {import("./engine.js").Engine} parts.engine
   * @param {import("./class_list.js").ClassList} parts.list
   * @param {import("./memory.js").PhotoMemory} [parts.memory] answers that were given before
   * @param {object} on
   * @param {(phase: string) => void} on.enter called with another phase of the session
   * @param {(type: string, detail?: any) => void} on.tell called with the session's events
   */
  constructor(session, { engine, list, memory }, { enter, tell }) {
    this.#session = session;
    this.#list = list;
    this.#answerer = new Answerer(session, { engine, list, queue: this.#queue, memory }, { changed: () => this.changed(), tell });
    this.#enter = enter;
    this.#tell = tell;
  }

  /** Aborted once the settings have changed, or the user has stopped the work. */
  get signal() {
    return this.#queue.signal;
  }

  /** Every photo, in the order of adding. */
  get photos() {
    return this.#queue.photos;
  }

  /** Whether photos are being answered. */
  get working() {
    return this.#queue.working;
  }

  /** How many photos have an answer or an error. */
  get settled() {
    return this.#queue.settled;
  }

  /** @param {File[]} files */
  add(files) {
    if (files.length === 0) return;
    this.#tell("added", this.#queue.add(files));
    this.go();
  }

  /** @param {import("./photo.js").Photo} photo */
  remove(photo) {
    this.#queue.remove(photo);
    this.#session.variants.remove(photo);
    if (this.#queue.pending.size === 0) this.#resume();
    this.changed();
    this.#tell("removed", photo);
  }

  clear() {
    this.#queue.clear();
    this.#session.variants.clear();
    this.#resume();
    this.changed();
    this.#tell("cleared");
  }

  /** Works on the photos that wait. */
  go() {
    this.#resume();
    this.changed();
    if (this.#list.classes) void this.answer();
  }

  /** Leaves the photos that wait as they are. */
  stop() {
    this.#queue.stop();
    if (this.#session.phase === "ready" && this.#queue.pending.size > 0) this.#enter("stopped");
    this.changed();
  }

  /** Answers the waiting photos, unless the user has stopped the work. */
  async answer() {
    if (this.#session.phase !== "stopped") await this.#answerer.run();
  }

  #resume() {
    if (this.#session.phase === "stopped") this.#enter("ready");
  }

  /** Every photo waits again: what was computed was for other settings. */
  reopen() {
    this.#queue.reopen();
    this.#session.rejection.stopCalibrating();
    this.#resume();
    this.changed();
  }

  /** Where the names are on a photo; see `Answerer`. */
  explain(photo, method) {
    return this.#answerer.explain(photo, method);
  }

  /** Tells each waiting photo what it waits for, and the panels that something is different. */
  changed() {
    const { names, usable, phase, tune } = this.#session;
    let reason = "turn";
    if (!usable) reason = "model";
    else if (phase === "refused") reason = names.length === 0 ? "names" : "usable-names";
    for (const photo of this.#queue.pending) {
      photo.wait(reason, names.length, tune.tune !== "none");
      if (phase === "stopped") photo.stop();
    }
    this.#tell("change");
  }
}
