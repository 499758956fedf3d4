/** The class list that answers: text features of the names, and their negative labels. */
export class ClassList {
  /** `null`: there is none for the names as they are. @type {import("../pkg/index.js").Classes | null} */
  classes = null;
  /** The one whose negative labels follow the user's edits. @type {import("../pkg/index.js").Classes | null} */
  #mined = null;
  #negatives;

  /** @param {import("./negatives.js").NegativeLabels} negatives */
  constructor(negatives) {
    this.#negatives = negatives;
  }

  /**
   * Makes the list of `names`.
   *
   * @param {import("../pkg/index.js").PromptLens} lens
   * @param {string[]} names
   * @param {import("../pkg/index.js").ClassesOptions & {signal: AbortSignal}} options
   * @param {{score: string, calibration: import("../pkg/index.js").Calibration | null}} how
   */
  async make(lens, names, options, { score, calibration }) {
    const { signal } = options;
    const made = await lens.classes(names, options);
    try {
      // The engine says with each answer if the threshold does not hold any more.
      if (calibration) await made.useCalibration(calibration.file);
      if (this.#negatives.mustBeMined(score)) await this.mine({ signal }, made);
      signal.throwIfAborted();
    } catch (error) {
      made.free();
      throw error;
    }
    this.classes = made;
    this.#negatives.fresh = false;
  }

  /** Whether the negative labels that `score` reads are not those of the user's edits. */
  lacksEdits(score) {
    return this.#negatives.mustBeMined(score) && this.#mined !== this.classes;
  }

  /** Mines the negative labels with the user's edits. */
  mine(how, classes = this.classes) {
    this.#mined = classes;
    return classes.mineNegatives({ ...this.#negatives.edits, ...how });
  }

  /**
   * Finds the negative labels in use.
   *
   * @param {{signal: AbortSignal, onProgress: (event: object) => void}} how
   * @returns {Promise<boolean>} false: it was stopped, or there is no list
   */
  async findNegatives(how) {
    const negatives = this.#negatives;
    if (negatives.own) negatives.words = negatives.own;
    else if (!negatives.fresh) {
      if (!this.classes) return false;
      const { labels } = await this.mine(how);
      if (how.signal.aborted) return false;
      negatives.words = labels;
    }
    negatives.fresh = true;
    return true;
  }

  free() {
    this.classes?.free();
    this.classes = null;
  }
}
