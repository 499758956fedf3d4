import { judged } from "./verdict.js";

/** Waiting photos from which workers of their own pay, which take a moment to start. */
const MANY = 4;

/** Answers photos with the settings and the class list that are there. */
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
      if (!this.#list.classes || queue.pending.size === 0) break;
      // Tuning takes its time for each photo, and tells how far it is.
      if (queue.pending.size >= MANY && this.#session.options.tune === "none") await this.#answerMany(signal);
      else await this.#answerOne(queue.take(), signal);
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
      this.#answered(taken, await this.#classify(photo, { ...options, ...pictures, signal: call.signal, onProgress }));
    } catch (error) {
      if (!signal.aborted) this.#failed(taken, error);
    } finally {
      this.#queue.release(taken);
    }
  }

  /** Answers all that wait, those included that are added meanwhile. */
  async #answerMany(signal) {
    const { options, names } = this.#session;
    /** What was taken, by its place. */
    const taken = [];
    const queue = this.#queue;
    function* files() {
      for (let next = queue.take(); next; next = queue.take()) {
        taken.push(next);
        next.photo.wait("answer", names.length, false);
        yield next.photo.file;
      }
    }
    const answers = async () => {
      for await (const { index, result, error } of this.#list.classes.classifyAll(files(), { ...options, signal })) {
        if (result) this.#answered(taken[index], result);
        else this.#failed(taken[index], error);
        queue.release(taken[index]);
        this.#changed();
        // New class names, or a threshold, come before the next answer.
        await this.#session.rejection.settled;
        if (signal.aborted) return;
      }
    };
    try {
      await this.#engine.guarded(answers);
    } catch (error) {
      if (signal.aborted) return;
      // What ends the engine ends all that it had in hand.
      for (const one of taken) {
        if (one.photo.state === "waiting") this.#failed(one, error);
        queue.release(one);
      }
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
