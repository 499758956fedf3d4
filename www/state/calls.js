import { ClassList } from "./class_list.js";
import { compare, withClasses } from "./classes.js";
import { judged } from "./verdict.js";

/**
 * Calls beside the answers: they do not wait for the class list, but make their own of the names as they
 * are. Each throws the engine's error, or one with the `key` of its message if there is no model.
 */
export class Calls {
  #engine;
  #snapshot;
  #negatives;

  /**
   * @param {import("./engine.js").Engine} engine
   * @param {(signal?: AbortSignal) => [import("../pkg/index.js").PromptLens, string[], object]} snapshot the lens,
   *   the names and the options of their class list
   * @param {import("./negatives.js").NegativeLabels} negatives
   */
  constructor(engine, snapshot, negatives) {
    this.#engine = engine;
    this.#snapshot = snapshot;
    this.#negatives = negatives;
  }

  /** The class names in a file or in a text, once the first model is there. */
  async parseLabels(file) {
    await this.#engine.begun;
    return this.#engine.guarded(() => this.#engine.now().parseLabels(file));
  }

  /** The files of an archive. */
  unpack(archive) {
    return this.#engine.guarded(() => this.#engine.now().unpack(archive));
  }

  /** The class folder of each path. */
  classFolders(paths) {
    return this.#engine.guarded(() => this.#engine.now().classFolders(paths));
  }

  /** The feature of an image file; see `PromptLens.embedImage`. */
  embedImage(file, how) {
    return this.#engine.guarded(() => this.#engine.now().embedImage(file, how));
  }

  /** The features of texts; see `PromptLens.embedText`. */
  embedText(texts, how) {
    return this.#engine.guarded(() => this.#engine.now().embedText(texts, how));
  }

  /** Learns a prompt; see `Classes.train`. */
  train(examples, how) {
    return this.#withClasses(how.signal, (classes) => classes.train(examples, { ...this.#negatives.forTraining, ...how }));
  }

  /** How good the answers for labelled photos are, at no temperature; see `Classes.assess`. */
  assess(examples, how) {
    return this.#withClasses(how.signal, (classes) => classes.assess(examples, how));
  }

  /** Finds the classes of photos; see `Classes.pseudoLabel`. */
  pseudoLabel(files, how) {
    return this.#withClasses(how.signal, (classes) => classes.pseudoLabel(files, { ...this.#negatives.forTraining, ...how }));
  }

  /**
   * Answers what a video shows as the page answers photos, until `signal`; see `Classes.live`.
   *
   * @param {HTMLVideoElement} video
   * @param {object} how
   * @param {AbortSignal} how.signal
   * @param {import("../session.js").Session} how.session the settings of answers
   * @param {(answer: import("../pkg/index.js").LiveAnswer) => void} how.onAnswer
   */
  live(video, { signal, session, onAnswer }) {
    const { rejection, prompt, options: asked, honesty } = session;
    return this.#engine.guarded(async () => {
      const [lens, names, options] = this.#snapshot(signal);
      const list = new ClassList(this.#negatives);
      try {
        await list.make(lens, names, { ...options, prompt: prompt ?? undefined, ...honesty.option }, rejection);
        for await (const answer of list.classes.live(video, { ...asked, signal })) {
          onAnswer({ ...answer, ood: judged(answer.ood, rejection.threshold) });
        }
      } finally {
        list.free();
      }
    });
  }

  #withClasses(signal, use) {
    return this.#engine.guarded(() => withClasses(...this.#snapshot(signal), use));
  }

  /** The best answer for each file without and with a prompt. */
  compare(files, prompt, { signal } = {}) {
    return this.#engine.guarded(() => compare(...this.#snapshot(signal), files, prompt));
  }
}
