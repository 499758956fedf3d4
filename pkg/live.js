import { cancelled, invalid } from "./error.js";
import { frameOf } from "./frame.js";

/** Pixels of a frame's shorter side: more than models look at, and quick to write and to read. */
const SIDE = 480;

/**
 * Answers what a video shows, one frame after the other. While a frame is being answered the video goes on;
 * the next one to be answered is the newest, and those between are dropped.
 *
 * @param {(frame: Blob, how: object) => Promise<import("./index.js").Result>} classify
 * @param {HTMLVideoElement} video
 * @param {import("./index.js").LiveOptions} [options]
 * @returns {AsyncGenerator<import("./index.js").LiveAnswer>}
 */
export async function* live(classify, video, { signal, halfLife = 500, ...options } = {}) {
  if (!(Number.isFinite(halfLife) && halfLife >= 0)) throw invalid("`halfLife` must be a number of milliseconds, 0 or more.");
  const frames = new Frames(video, signal);
  const smoothed = new Smoothed(halfLife);
  try {
    while (await frames.next()) {
      const time = performance.now();
      const frame = await frameOf(video, SIDE);
      const result = await classify(frame, { ...options, signal });
      if (signal?.aborted) throw cancelled();
      yield { ...result, ...smoothed.add(result, time), frame, unsmoothed: { predictions: result.predictions, ood: result.ood } };
    }
  } finally {
    frames.close();
  }
}

/** Waits for pictures that were not there before. A page that is hidden is shown none. */
class Frames {
  #video;
  #signal;
  #request = 0;
  #fresh = false;
  #over = false;
  #wake = () => {};
  #end = () => {
    this.#over = true;
    this.#wake();
  };
  #abort = () => this.#wake();

  constructor(video, signal) {
    this.#video = video;
    this.#signal = signal;
    // The picture of a paused video is there already.
    this.#fresh = video.readyState >= 2;
    signal?.addEventListener("abort", this.#abort);
    for (const type of ["ended", "emptied"]) video.addEventListener(type, this.#end);
    this.#listen();
  }

  #listen() {
    this.#request = this.#video.requestVideoFrameCallback(() => {
      this.#fresh = true;
      this.#wake();
      this.#listen();
    });
  }

  /** @returns {Promise<boolean>} false: the video is over */
  async next() {
    while (!this.#fresh && !this.#over && !this.#signal?.aborted) await new Promise((resolve) => (this.#wake = resolve));
    if (this.#signal?.aborted) throw cancelled();
    this.#fresh = false;
    return !this.#over;
  }

  close() {
    this.#video.cancelVideoFrameCallback(this.#request);
    this.#signal?.removeEventListener("abort", this.#abort);
    for (const type of ["ended", "emptied"]) this.#video.removeEventListener(type, this.#end);
  }
}

/**
 * Exponential means over time. An answer counts half as much after `halfLife` milliseconds, however many
 * frames came since: a slow device is not smoothed for longer than a fast one.
 */
export class Smoothed {
  #halfLife;
  /** @type {Map<string, number> | null} */
  #shares = null;
  #score = null;
  #interval = null;
  #before = 0;

  /** @param {number} halfLife in milliseconds; 0 smooths nothing */
  constructor(halfLife) {
    this.#halfLife = halfLife;
  }

  /**
   * @param {Pick<import("./index.js").Result, "predictions" | "ood">} result
   * @param {number} time of the frame in milliseconds
   * @returns {Pick<import("./index.js").LiveAnswer, "predictions" | "ood" | "framesPerSecond">}
   */
  add({ predictions, ood }, time) {
    const passed = time - this.#before;
    const kept = this.#shares && this.#halfLife > 0 ? 2 ** (-passed / this.#halfLife) : 0;
    const mean = (before, now) => (before === null ? now : kept * before + (1 - kept) * now);
    if (this.#shares) this.#interval = this.#interval === null ? passed : mean(this.#interval, passed);
    this.#shares = new Map(predictions.map(({ label, probability }) => [label, mean(this.#shares?.get(label) ?? null, probability)]));
    this.#score = ood && mean(this.#score, ood.value);
    this.#before = time;
    return {
      predictions: [...this.#shares].map(([label, probability]) => ({ label, probability })).sort((a, b) => b.probability - a.probability),
      ood: ood && { ...ood, value: this.#score, isOutlier: ood.threshold === null ? ood.isOutlier : this.#score < ood.threshold },
      framesPerSecond: this.#interval === null ? null : 1000 / this.#interval,
    };
  }
}
