import { Calibrator } from "./calibration.js";
import { judged, recalibrated } from "./verdict.js";

/**
 * Which photos are called none of the classes: the score, the threshold below which a photo is rejected,
 * and the calibration that gives it.
 */
export class Rejection {
  /** The rejection score; empty: none. */
  score = "mcm";
  /** The user's own threshold, and the score that it is for. @type {{score: string, value: number} | null} */
  threshold = null;
  #negatives;
  #calibrator = new Calibrator();
  #photos;
  #fit;
  #changed;

  /**
   * @param {import("./negatives.js").NegativeLabels} negatives
   * @param {object} page
   * @param {() => Iterable<import("./photo.js").Photo>} page.photos
   * @param {(files: File[], how: object) => Promise<import("../pkg/index.js").Calibration>} page.fit calibrates
   *   the class list on photos that show the classes
   * @param {() => void} page.changed called when photos have other verdicts
   */
  constructor(negatives, { photos, fit, changed }) {
    this.#negatives = negatives;
    this.#photos = photos;
    this.#fit = fit;
    this.#changed = changed;
  }

  /** The options of `classify` about rejection. */
  get options() {
    return { ood: this.score || false, ...this.#negatives.optionFor(this.score) };
  }

  /** The rejection scores of the answers. @returns {import("../pkg/index.js").Ood[]} */
  get scores() {
    return [...this.#photos()].filter(({ done }) => done).map(({ result }) => result.ood).filter(Boolean);
  }

  /** Judges by the user's own threshold; `null`: by the calibrated one again. */
  setThreshold(value) {
    this.threshold = value === null ? null : { score: this.scores[0].score, value };
    this.#judge((ood) => judged(ood, this.threshold));
  }

  /** Gives the scores of all answers another verdict. */
  #judge(verdict) {
    for (const photo of this.#photos()) if (photo.done && photo.result.ood) photo.judge(verdict(photo.result.ood));
    this.#changed();
  }

  /** The newest calibration. */
  get calibration() {
    return this.#calibrator.newest;
  }

  /** Goes on with a calibration and a threshold that were kept. */
  restore({ calibration, threshold }) {
    this.#calibrator.newest = calibration;
    this.threshold = threshold;
  }

  /** Settled once no calibration is in the way of answers. */
  get settled() {
    return this.#calibrator.settled;
  }

  /**
   * Fits the threshold to photos that show the classes; answers wait for it.
   *
   * @param {File[]} files
   * @param {(event: object) => void} onProgress
   * @returns {Promise<import("../pkg/index.js").Calibration | null>} `null`: it was stopped
   */
  calibrate(files, onProgress) {
    return this.#calibrator.run(
      (signal) => this.#fit(files, { signal, onProgress }),
      ({ score, threshold }) => {
        this.threshold = null;
        // The photos were scored with these very settings, so only the verdicts are new.
        this.#judge((ood) => (ood.score === score ? recalibrated(ood, threshold) : ood));
      },
    );
  }

  stopCalibrating() {
    this.#calibrator.stop();
  }
}
