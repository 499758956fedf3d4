/** What a temperature was fitted to, with what the page says when one of them is another. */
const PARTS = ["model", "names", "prompt", "sentence", "tuning"];

/**
 * What decides percentages, beside the photos and the temperature.
 *
 * @typedef {{model: string, names: string, prompt: object | null, sentence: string, tuning: string}} Basis
 * @param {import("../session.js").Session} session
 * @returns {Basis}
 */
function basisOf({ info, names, prompt, template, otherTemplates, tune }) {
  // A prompt answers in place of the sentence.
  const sentence = prompt ? "" : JSON.stringify([template, ...otherTemplates]);
  return { model: info.modelSha256, names: JSON.stringify(names), prompt, sentence, tuning: JSON.stringify(tune) };
}

/** The first part that is another; `null`: none is. */
const differing = (one, other) => PARTS.find((part) => one[part] !== other[part]) ?? null;

/**
 * The temperature that makes percentages say how often answers are right. It was fitted to photos with one model,
 * one list of names and one sentence or prompt, and is dropped with the first change of these.
 */
export class Honesty {
  /** The temperature that was fitted; `null`: none. @type {number | null} */
  fitted = null;
  /** Whether answers are given at it. */
  used = false;
  /** What has changed since, so that it was dropped. @type {"model" | "names" | "prompt" | "sentence" | "tuning" | null} */
  dropped = null;
  /** @type {Basis | null} */
  #basis = null;
  /** What was kept of an earlier visit, until the session is as it was then. @type {import("./record.js").Record["temperature"]} */
  #waiting = null;
  #session;

  /** @param {import("../session.js").Session} session */
  constructor(session) {
    this.#session = session;
  }

  /** What answers are given at; 1: percentages as the model gives them. */
  get temperature() {
    return this.used && this.fitted !== null ? this.fitted : 1;
  }

  /** The option of `lens.classes` for it. @returns {{temperature?: number}} */
  get option() {
    return this.temperature === 1 ? {} : { temperature: this.temperature };
  }

  /** What decides percentages now, for {@link Honesty#offer}. */
  get basis() {
    return basisOf(this.#session);
  }

  /** Whether the session is still as it was at `basis`. @param {Basis} basis */
  holds(basis) {
    return this.#session.usable && differing(basis, this.basis) === null;
  }

  /** A temperature that was fitted at `basis`; answers keep the one that they have until it is used. */
  offer(temperature, basis) {
    if (!this.holds(basis)) return;
    const another = this.used && this.fitted !== temperature;
    Object.assign(this, { fitted: temperature, dropped: null });
    this.#basis = basis;
    if (another) void this.#session.prepare();
  }

  /** Answers at the temperature that was fitted, or at none. */
  use(used) {
    if (used === this.used || this.fitted === null) return;
    this.used = used;
    void this.#session.prepare();
  }

  /** Takes the temperature of a classifier file for the session as it is; 1: none. */
  take(temperature) {
    this.#waiting = null;
    this.#basis = this.basis;
    Object.assign(this, { fitted: temperature === 1 ? null : temperature, used: temperature !== 1, dropped: null });
  }

  /** What there is to keep. @returns {import("./record.js").Record["temperature"]} */
  get record() {
    if (this.#waiting) return this.#waiting;
    const { promptSha256 } = this.#session;
    // A prompt whose hash cannot be computed is not kept either.
    if (this.temperature === 1 || (this.#basis.prompt && !promptSha256)) return null;
    return { value: this.fitted, model: this.#basis.model, prompt: this.#basis.prompt && promptSha256 };
  }

  /** Goes on with what was kept, once the model and the prompt are there. */
  restore(kept) {
    this.#waiting = kept;
  }

  /**
   * Drops the temperature if it was fitted to something else.
   *
   * @param {object} [how]
   * @param {boolean} [how.edited] names or sentence are being edited
   * @returns {boolean} whether answers had one until now
   */
  check({ edited = false } = {}) {
    if (this.#waiting) this.#goOn(edited);
    if (this.fitted === null || !this.#session.usable) return false;
    const changed = differing(this.#basis, this.basis);
    return changed !== null && this.#drop(changed);
  }

  #goOn(edited) {
    const { usable, info, promptSha256 } = this.#session;
    if (!edited && !usable) return;
    const { value, model, prompt } = this.#waiting;
    this.#waiting = null;
    Object.assign(this, { fitted: value, used: true });
    if (edited) this.#drop("names");
    else if (model !== info.modelSha256) this.#drop("model");
    else if (prompt !== promptSha256) this.#drop("prompt");
    else this.#basis = this.basis;
  }

  #drop(changed) {
    const { used } = this;
    Object.assign(this, { fitted: null, used: false, dropped: used ? changed : null });
    return used;
  }
}
