/** The threshold that photos which do show the classes give. */
export class Calibrator {
  /** The newest calibration. @type {import("../pkg/index.js").Calibration | null} */
  newest = null;
  /** Settled once no calibration is in the way of answers. */
  settled = Promise.resolve();
  #job = new AbortController();

  /**
   * Makes a calibration.
   *
   * @param {(signal: AbortSignal) => Promise<import("../pkg/index.js").Calibration>} fit
   * @param {(made: import("../pkg/index.js").Calibration) => void} use is called before answers go on
   * @returns {Promise<import("../pkg/index.js").Calibration | null>} `null`: it was stopped
   */
  run(fit, use) {
    const { signal } = (this.#job = new AbortController());
    const done = this.#perform(fit, use, signal);
    this.settled = done.catch(() => {});
    return done;
  }

  async #perform(fit, use, signal) {
    try {
      this.newest = await fit(signal);
      use(this.newest);
      return this.newest;
    } catch (error) {
      if (!signal.aborted) throw error;
      return null;
    }
  }

  stop() {
    this.#job.abort();
  }
}
