/**
 * One photo: its file, how far its answer is, and the answer.
 *
 * | state     | meaning                                                    |
 * |-----------|------------------------------------------------------------|
 * | `waiting` | not answered for the settings as they are; see `waitsFor`  |
 * | `stopped` | the same, and the user stopped the work                    |
 * | `done`    | answered                                                   |
 * | `failed`  | `error` says why there is no answer                        |
 *
 * Events: `change`: another state; `verdict`: another rejection score or verdict of the same answer;
 * `progress`, with an event of the package as its `detail`.
 */
export class Photo extends EventTarget {
  /** @type {"waiting" | "stopped" | "done" | "failed"} */
  state = "waiting";
  /**
   * What a waiting photo waits for, and how large its answer will be: rows of probabilities, and
   * whether a report on tuning comes with them.
   *
   * @type {{reason: "turn" | "answer" | "model" | "names" | "usable-names", rows: number, tuned: boolean}}
   */
  waitsFor = { reason: "turn", rows: 0, tuned: false };
  /** The answer, also while it is computed anew. @type {import("../pkg/index.js").Result | null} */
  result = null;
  /** Why there is no answer. @type {{code: string, message: string} | null} */
  error = null;
  /** How the answer was computed. @type {{method: string, device: import("../pkg/index.js").Info["device"] | null}} */
  answered = { method: "none", device: null };

  /** @param {File} file */
  constructor(file) {
    super();
    this.file = file;
  }

  get name() {
    return this.file.name;
  }

  /** Whether the answer holds for the settings as they are. */
  get done() {
    return this.state === "done";
  }

  /** The photo waits; see `waitsFor`. */
  wait(reason, rows, tuned) {
    const { waitsFor } = this;
    const same = this.state === "waiting" && waitsFor.reason === reason && waitsFor.rows === rows && waitsFor.tuned === tuned;
    this.waitsFor = { reason, rows, tuned };
    if (same && !this.error) return;
    this.error = null;
    this.#become("waiting");
  }

  /** What is computed for it now, as an event of the package. */
  progress(event) {
    this.dispatchEvent(new CustomEvent("progress", { detail: event }));
  }

  stop() {
    if (this.state !== "stopped") this.#become("stopped");
  }

  /**
   * @param {import("../pkg/index.js").Result} result
   * @param {string} method how it was tuned
   * @param {import("../pkg/index.js").Info["device"]} device what computed it
   */
  answer(result, method, device) {
    this.result = result;
    this.error = null;
    this.answered = { method, device };
    this.#become("done");
    // The views of hundreds of photos would fill the memory; whoever draws them has done so by now.
    for (const view of result.tuning?.keptViews ?? []) view.thumbnail = null;
  }

  /** Gives the answer another rejection score or verdict. @param {import("../pkg/index.js").Ood} ood */
  judge(ood) {
    this.result.ood = ood;
    this.dispatchEvent(new Event("verdict"));
  }

  /** @param {{code: string, message: string}} error */
  fail(error) {
    this.result = null;
    this.error = error;
    this.#become("failed");
  }

  #become(state) {
    this.state = state;
    this.dispatchEvent(new Event("change"));
  }
}
