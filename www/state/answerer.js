import { KeptAnswers } from "./kept_answers.js";
import { judged } from "./verdict.js";

/** Answers photos with the settings and the class list that are there. */
export class Answerer {
  #session;
  #engine;
  #list;
  #queue;
  /** @type {KeptAnswers | null} */
  #kept;
  #changed;
  #tell;

  /**
   * @param {import("../session.js").Session} session the settings of answers
   * @param {object} parts
   * @param {import("./engine.js").Engine} parts.engine
   * @param {import("./class_list.js").ClassList} parts.list
   * @param {import("./queue.js").Queue} parts.queue
   * @param {import("./memory.js").PhotoMemory} [parts.memory] answers that were given before
   * @param {object} on
   * @param {() => void} on.changed called when another photo is answered, or none any more
   * @param {(type: "answered" | "failed", photo: import("./photo.js").Photo) => void} on.tell
   */
  constructor(session, { engine, list, queue, memory }, { changed, tell }) {
    this.#session = session;
    this.#engine = engine;
    this.#list = list;
    this.#queue = queue;
    this.#kept = memory ? new KeptAnswers(memory, session) : null;
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
      if (!this.#list.classes || queue.pending.size === 0) break;
      await this.#answerOne(queue.take(), signal);
      if (signal.aborted) return;
      this.#changed();
    }
    queue.working = false;
    this.#changed();
  }

  async #answerOne(taken, signal) {
    const { photo, call } = taken;
    const { options, names, variants, photos } = this.#session;
    photo.wait("answer", names.length, options.tune !== "none");
    const onProgress = (event) => call.signal.aborted || photo.progress(event);
    const pictures = options.tune === "difftpt-lite" ? variants.optionsFor(photo, photos) : {};
    try {
      const slot = await this.#kept?.slot(photo);
      if (call.signal.aborted) return;
      // The engine may have ended meanwhile.
      if (!this.#list.classes) throw this.#engine.error;
      const result = slot?.result ?? (await this.#classify(photo, { ...options, ...pictures, signal: call.signal, onProgress }));
      if (slot?.result === null) void slot.keep(result);
      this.#answered(taken, result);
    } catch (error) {
      if (!signal.aborted) this.#failed(taken, error);
    } finally {
      this.#queue.release(taken.call);
    }
  }

  #answered({ photo, call }, result) {
    if (call.signal.aborted) return;
    const { options, rejection } = this.#session;
    this.#engine.info = this.#engine.lens.info;
    const ood = judged(result.ood, rejection.threshold);
    photo.answer({ ...result, ood }, options.tune, this.#engine.info.device);
    this.#tell("answered", photo);
  }

  #failed({ photo, call }, error) {
    if (call.signal.aborted) return;
    photo.fail(error);
    this.#tell("failed", photo);
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
