import { modelOf } from "./memory.js";
import { READERS } from "./negatives.js";

/** Bytes of a record beside its arrays, about. */
const FRAME = 300;

/**
 * Answers that were given before, for the same photo and the same settings.
 *
 * A rejection verdict depends on the calibration too, and only the engine knows whether that holds for the
 * settings. So the threshold is kept by itself, and until the engine has said it once for these settings, a
 * kept answer is not used.
 */
export class KeptAnswers {
  #memory;
  #session;
  /** The hash of the last settings, which are the same for all photos of a pile. */
  #last = { text: "", key: Promise.resolve(null) };
  /** Thresholds by their keys. @type {Map<string, {threshold: number | null, stale: string | null}>} */
  #thresholds = new Map();

  /**
   * @param {import("./memory.js").PhotoMemory} memory
   * @param {import("../session.js").Session} session
   */
  constructor(memory, session) {
    this.#memory = memory;
    this.#session = session;
  }

  /**
   * The place of a photo's answer for the settings as they are; `null`: such an answer is not kept.
   *
   * @param {import("./photo.js").Photo} photo
   * @returns {Promise<{result: import("../pkg/index.js").Result | null, keep: (result: object) => Promise<void>} | null>}
   */
  async slot({ file }) {
    const text = this.#settings();
    if (text === null || !this.#memory.holds(this.#session.photos.size)) return null;
    const { names, rejection } = this.#session;
    const labels = [...names];
    const judging = rejection.score === "" ? null : `threshold ${text} ${rejection.calibration?.file ?? ""}`;
    const [settings, photo] = await Promise.all([this.#hash(text), this.#memory.hashOf(file)]);
    if (settings === null || photo === null) return null;
    const key = `answer ${settings} ${photo}`;
    const threshold = judging && (await this.#threshold(judging));
    const kept = threshold === undefined ? undefined : await this.#memory.read(key);
    return {
      result: kept ? unpack(kept, labels, threshold) : null,
      keep: async (result) => {
        if (result.ood && !threshold) await this.#keepThreshold(judging, result.ood);
        const packed = pack(result, labels);
        if (packed) await this.#memory.write(key, packed, FRAME + packed.order.byteLength + packed.probabilities.byteLength);
      },
    };
  }

  /** All that an answer depends on, beside the photo; `null`: on more than can be named. */
  #settings() {
    const { info, names, template, otherTemplates, prompt, promptSha256, tune, rejection, negatives, honesty } = this.#session;
    // A tuned answer has pictures in its report, and may depend on the other photos.
    if (tune.tune !== "none" || (prompt && !promptSha256)) return null;
    const words = READERS.includes(rejection.score) ? { ...negatives.edits, own: negatives.own } : null;
    const { temperature } = honesty;
    const more = [...(prompt ? [] : otherTemplates), ...(temperature === 1 ? [] : [{ temperature }])];
    return JSON.stringify([modelOf(info), names, prompt ? { promptSha256 } : template, rejection.options, words, ...more]);
  }

  #hash(text) {
    if (text !== this.#last.text) this.#last = { text, key: this.#memory.hashOfText(text) };
    return this.#last.key;
  }

  async #threshold(judging) {
    if (!this.#thresholds.has(judging)) {
      const kept = await this.#memory.read(`threshold ${await this.#memory.hashOfText(judging)}`);
      if (kept) this.#thresholds.set(judging, kept);
    }
    return this.#thresholds.get(judging);
  }

  async #keepThreshold(judging, { threshold, stale }) {
    this.#thresholds.set(judging, { threshold, stale });
    await this.#memory.write(`threshold ${await this.#memory.hashOfText(judging)}`, { threshold, stale }, FRAME);
  }
}

/** An answer as numbers; `null`: it does not fit `names`. */
function pack({ predictions, ood, reducedBy, decodedBy, timings }, names) {
  const places = new Map(names.map((name, i) => [name, i]));
  if (predictions.length !== names.length || predictions.some(({ label }) => !places.has(label))) return null;
  return {
    order: Uint32Array.from(predictions, ({ label }) => places.get(label)),
    probabilities: Float64Array.from(predictions, ({ probability }) => probability),
    ood: ood && { score: ood.score, value: ood.value, nearestNegatives: ood.nearestNegatives },
    more: { reducedBy, decodedBy, timings },
  };
}

/** @returns {import("../pkg/index.js").Result | null} `null`: it is damaged */
function unpack({ order, probabilities, ood, more }, names, threshold) {
  if (order?.length !== names.length || probabilities?.length !== names.length) return null;
  if (!order.every((place) => place < names.length) || Boolean(ood) !== Boolean(threshold)) return null;
  const predictions = Array.from(order, (place, i) => ({ label: names[place], probability: probabilities[i] }));
  return { predictions, ood: ood && { ...ood, ...verdict(ood.value, threshold) }, tuning: null, heatmap: null, ...more };
}

const verdict = (value, { threshold, stale }) => ({ threshold, isOutlier: threshold === null ? null : value < threshold, stale });
