import { judged } from "./verdict.js";

/** Answers photos, one after the other, with the settings and the class list that are there. */
export class Answerer {
  #session;
  #engine;
  #list;
  #queue;
  #changed;
  #tell;

  /**
   * @param {import("../session.js").Session} session the settings of answers
   * @param {object} parts
   * @param {import("./engine.js").Engine} parts.engine
   * @param {import("./class_list.js").ClassList} parts.list
   * @param {import("./queue.js").Queue} parts.queue
   * @param {object} on
   * @param {() => void} on.changed called when another photo is answered, or none any more
   * @param {(type: "answered" | "failed", photo: import("./photo.js").Photo) => void} on.tell
   */
  constructor(session, { engine, list, queue }, { changed, tell }) {
    this.#session = session;
    this.#engine = engine;
    this.#list = list;
    this.#queue = queue;
    this.#changed = changed;
    this.#tell = tell;
  }

  /** Answers the waiting photos until none waits, or the settings change. */
  async run() {
    const queue = this.#queue;
    const { signal } = queue;
    if (queue.working) return;
    queue.working = true;
    this.#changed();
    while (this.#list.classes) {
      await this.#session.rejection.settled;
      if (signal.aborted) return;
      const taken = this.#list.classes && queue.take();
      if (!taken) break;
      await this.#answer(taken, signal);
      if (signal.aborted) return;
      this.#changed();
    }
    queue.working = false;
    this.#changed();
  }

  async #answer({ photo, call }, signal) {
    const { options, names, variants, photos } = this.#session;
    photo.wait("answer", names.length, options.tune !== "none");
    const onProgress = (event) => call.signal.aborted || photo.progress(event);
    const pictures = options.tune === "difftpt-lite" ? variants.optionsFor(photo, photos) : {};
    try {
      const result = await this.#classify(photo, { ...options, ...pictures, signal: call.signal, onProgress });
      this.#engine.info = this.#engine.lens.info;
      const ood = judged(result.ood, this.#session.rejection.threshold);
      photo.answer({ ...result, ood }, options.tune, this.#engine.info.device);
      this.#tell("answered", photo);
    } catch (error) {
      if (signal.aborted || call.signal.aborted) return;
      photo.fail(error);
      this.#tell("failed", photo);
    } finally {
      this.#queue.release(call);
    }
  }

  #classify(photo, options) {
    return this.#engine.guarded(() => this.#list.classes.classify(photo.file, options));
  }

  /**
   * The heat maps of a photo, for the settings that it was answered with.
   *
   * @param {import("./photo.js").Photo} photo
   * @param {"patches" | "regions"} method
   * @returns {Promise<import("../pkg/index.js").Heatmap>}
   */
  async explain(photo, method) {
    // The answers outlive an engine that is gone.
    if (!this.#list.classes) throw this.#engine.error;
    const { heatmap } = await this.#classify(photo, { ...this.#session.options, heatmap: method, signal: this.#queue.signal });
    return heatmap;
  }
}
