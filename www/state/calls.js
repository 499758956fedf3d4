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
  #answering;

  /**
   * @param {import("./engine.js").Engine} engine
   * @param {(signal?: AbortSignal) => [import("../pkg/index.js").PromptLens, string[], object]} snapshot the lens,
   *   the names and the options of their class list
   * @param {import("./negatives.js").NegativeLabels} negatives
   * @param {ClassList} answering the class list of the answers
   */
  constructor(engine, snapshot, negatives, answering) {
    this.#engine = engine;
    this.#snapshot = snapshot;
    this.#negatives = negatives;
    this.#answering = answering;
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

  /**
   * The answer for each file as the page answers photos, but without tuning. Files that cannot be read are left out.
   *
   * @param {File[]} files
   * @param {object} how
   * @param {import("../session.js").Session} how.session the settings of answers
   * @param {AbortSignal} how.signal
   * @param {(done: number) => void} how.onProgress
   */
  answers(files, { session: { prompt, honesty }, signal, onProgress }) {
    const answered = async (classes) => {
      const found = [];
      for (const [index, file] of files.entries()) {
        onProgress(index);
        try {
          found.push(await classes.classify(file, { ood: false, signal }));
        } catch (error) {
          if (!error.code?.startsWith("image/")) throw error;
        }
      }
      return found;
    };
    return this.#withClasses(signal, answered, { prompt: prompt ?? undefined, ...honesty.option });
  }

  /** The pairs of classes that answers leave in doubt; see `Classes.confusedPairs`. */
  async confusedPairs(answers, how) {
    const count = (classes) => classes.confusedPairs(answers, how);
    const { classes } = this.#answering;
    // Texts of hundreds of names are not encoded again for a count.
    return classes ? this.#engine.guarded(() => count(classes)) : this.#withClasses(undefined, count);
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

  #withClasses(signal, use, settings = {}) {
    return this.#engine.guarded(async () => {
      const [lens, names, options] = this.#snapshot(signal);
      return withClasses(lens, names, { ...options, ...settings }, use);
    });
  }

  /** The best answer for each file without and with a prompt. */
  compare(files, prompt, { signal } = {}) {
    return this.#engine.guarded(() => compare(...this.#snapshot(signal), files, prompt));
  }
}
