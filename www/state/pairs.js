/** From this share of the first class on, the second leaves an answer in doubt. */
const DOUBT = 0.25;
/** Classes of an answer in doubt that are a pair: the two most likely. With more, every photo of a short list would count for all. */
const TOP = 2;

/** @typedef {{predictions: import("../pkg/index.js").Prediction[]}} Answer */

/** @param {Answer} answer */
const inDoubt = ({ predictions: [first, second] }) => second !== undefined && second.probability >= DOUBT * first.probability;

/**
 * The pairs of classes that answers leave in doubt: those for the photos in Look, once all are there, and for the
 * photos to learn from, once they were looked at.
 *
 * Event `change`: `found` is another.
 */
export class DoubtfulPairs extends EventTarget {
  /**
   * `doubtful` of `photos` answers count for a pair; `null`: there are no answers.
   *
   * @type {(import("../pkg/index.js").ConfusedPairs & {photos: number, doubtful: number}) | null}
   */
  found = null;
  #session;
  /** The answers that `found` counts. @type {Answer[]} */
  #counted = [];
  /** Answers for photos to learn from, and what they hold for. */
  #taught = { basis: null, answers: [] };

  /** @param {import("../session.js").Session} session */
  constructor(session) {
    super();
    this.#session = session;
    session.addEventListener("change", () => void this.#count());
  }

  /**
   * Counts the photos to learn from too.
   *
   * @param {File[]} files
   * @param {{signal: AbortSignal, onProgress: (done: number) => void}} how
   */
  async look(files, { signal, onProgress }) {
    const { basis } = this.#session.honesty;
    const answers = await this.#session.calls.answers(files, { session: this.#session, signal, onProgress });
    this.#taught = { basis, answers };
    await this.#count();
  }

  /** The answers that hold for the settings as they are. */
  get #answers() {
    const { usable, working, names, photos, honesty } = this.#session;
    if (!usable || working || names.length < 2) return [];
    const shown = [...photos].filter(({ done }) => done).map(({ result }) => result);
    const { basis, answers } = this.#taught;
    return basis && honesty.holds(basis) ? [...shown, ...answers] : shown;
  }

  async #count() {
    const answers = this.#answers;
    if (answers.length === this.#counted.length && answers.every((answer, i) => answer === this.#counted[i])) return;
    this.#counted = answers;
    const doubtful = answers.filter(inDoubt);
    let found = null;
    try {
      if (answers.length > 0) found = await this.#session.calls.confusedPairs(doubtful, { top: TOP });
    } catch {
      // Names were edited meanwhile, or the engine has ended, which the page tells at the top.
    }
    if (this.#counted !== answers) return;
    this.found = found && { ...found, photos: answers.length, doubtful: doubtful.length };
    this.dispatchEvent(new Event("change"));
  }
}
