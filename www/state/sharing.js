import { withClasses } from "./classes.js";

/**
 * What a classifier file replaces of the page's work, and what is put back to undo that.
 *
 * @typedef {object} Work
 * @property {string[]} names
 * @property {string} template
 * @property {string[]} otherTemplates sentences beside the first, whose features are averaged with it
 * @property {import("../pkg/index.js").Prompt | null} prompt
 * @property {string | null} promptSha256
 * @property {number} temperature of percentages; 1: the model's own
 * @property {object} tune the options of `classify` about tuning
 * @property {string} score empty: none
 * @property {{score: string, value: number} | null} threshold
 * @property {import("../pkg/index.js").Calibration | null} calibration
 * @property {{struck: string[], added: string[], own: string[] | null}} negatives
 */

/** The work that the settings of a classifier file stand for. @returns {Work} */
export function workOf({ labels, templates, prompt, temperature, rejection, tuning }, promptSha256) {
  const [template, ...otherTemplates] = templates;
  const { score, threshold, calibration, negatives } = rejection;
  const wording = { names: labels, template, otherTemplates, prompt, promptSha256, temperature };
  return { ...wording, tune: tuning, score: score ?? "", threshold, calibration, negatives };
}

/** Saving the session as a classifier file, and taking one over. */
export class Sharing {
  #session;
  #engine;
  #page;

  /**
   * @param {import("../session.js").Session} session
   * @param {import("./engine.js").Engine} engine
   * @param {object} page
   * @param {() => void} page.invalidate what was computed is for other names
   * @param {() => void} page.adopt another model answers
   * @param {(type: string, detail?: any) => void} page.tell
   */
  constructor(session, engine, page) {
    this.#session = session;
    this.#engine = engine;
    this.#page = page;
  }

  /** The session's work. @returns {Work} */
  get work() {
    const { names, template, otherTemplates, prompt, promptSha256, tune, rejection, negatives, honesty } = this.#session;
    const { temperature } = honesty;
    const { score, threshold, calibration } = rejection;
    const { struck, added, own } = negatives;
    const wording = { names: [...names], template, otherTemplates, prompt, promptSha256, temperature };
    return { ...wording, tune, score, threshold, calibration, negatives: { struck, added, own } };
  }

  /**
   * The session as the settings of a classifier file.
   *
   * @param {string | null} address of the model, for others
   * @returns {import("../pkg/index.js").ClassifierSettings}
   */
  settings(address) {
    const { names, template, otherTemplates, prompt, temperature, tune, score, threshold, calibration, negatives } = this.work;
    const { model: name, quantization, modelSha256: sha256 } = this.#session.info;
    return {
      labels: names,
      templates: [template, ...otherTemplates],
      prompt,
      temperature,
      rejection: { score: score || null, threshold, calibration, negatives },
      tuning: tune,
      model: { address, name, quantization, sha256 },
    };
  }

  /**
   * Takes work over, once the engine has shown that it can: a file that it refuses changes nothing.
   *
   * @param {Work} work
   * @param {object} [how]
   * @param {{model: any, address: string | null, quantization?: string} | null} [how.choice] the model to load for it; `null`:
   *   the one that answers
   * @param {(info: import("../pkg/index.js").Info) => void} [how.accept] throws if the model is not the right one
   * @param {AbortSignal} [how.signal]
   * @param {(event: any) => void} [how.onProgress]
   */
  async use(work, { choice = null, accept = () => {}, signal, onProgress } = {}) {
    const session = this.#session;
    const check = async (lens) => {
      accept(lens.info);
      await tried(lens, work, signal);
    };
    if (choice) {
      const { model, address, quantization } = choice;
      const options = { model, quantization, device: session.settings.device, signal, onProgress };
      await this.#engine.exchange(options, () => this.#page.invalidate(), check);
      Object.assign(session.settings, { model: address ?? model, quantization });
    } else {
      await this.#engine.guarded(() => check(this.#engine.now()));
    }
    const { names, template, otherTemplates, prompt, promptSha256, temperature, tune, score, threshold, calibration, negatives } = work;
    Object.assign(session, { names: [...names], template, otherTemplates, prompt, promptSha256, tune });
    session.rejection.score = score;
    session.rejection.restore({ calibration, threshold });
    Object.assign(session.negatives, negatives, { fresh: false });
    if (choice) this.#page.adopt();
    session.honesty.take(temperature);
    this.#page.tell("names", []);
    this.#page.tell("settings");
    await session.prepare();
  }
}

/** Has the engine read everything in a file that it must understand. */
function tried(lens, { names, template, otherTemplates, prompt, calibration }, signal) {
  const options = { templates: [template, ...otherTemplates], prompt: prompt ?? undefined, signal };
  return withClasses(lens, names, options, async (classes) => {
    if (calibration) await classes.useCalibration(calibration.file);
  });
}
