import { PromptLensError } from "./error.js";
import { startViewMaker } from "./spawn.js";

/**
 * @typedef {object} Job
 * @property {number} id
 * @property {Blob} image
 * @property {(view: object | null) => void} resolve
 * @property {(error: PromptLensError) => void} reject
 */

/** Workers that turn photos into what a model looks at, beside the engine's own worker. */
export class ViewPool {
  #size;
  #setup;
  /** @type {Map<object, Job | null>} the workers, and what each is at */
  #workers = new Map();
  /** @type {Job[]} waiting, oldest first */
  #waiting = [];
  #lastId = 0;
  /** Whether workers cannot be started here. */
  #unavailable = false;
  #closed = false;

  /**
   * @param {number} size how many workers at most
   * @param {WebAssembly.Module} code the engine's
   * @param {string} preprocessing the model's
   */
  constructor(size, code, preprocessing) {
    this.#size = size;
    this.#setup = { code, preprocessing };
  }

  /**
   * The view of an image file; `null` if this page cannot start such workers, so that the engine has to
   * read the file itself.
   *
   * @param {Blob} image
   * @returns {Promise<object | null>}
   */
  view(image) {
    if (this.#unavailable) return Promise.resolve(null);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ id: ++this.#lastId, image, resolve, reject });
      this.#pump();
    });
  }

  /** Ends the workers. Views that are still awaited never come. */
  close() {
    this.#closed = true;
    this.#end();
  }

  #end() {
    for (const { worker } of this.#workers.keys()) worker.terminate();
    this.#workers.clear();
    this.#waiting.length = 0;
  }

  #pump() {
    while (this.#waiting.length > 0) {
      const idle = [...this.#workers].find(([, job]) => job === null)?.[0] ?? this.#start();
      if (!idle) return;
      const job = this.#waiting.shift();
      this.#workers.set(idle, job);
      idle.worker.postMessage({ id: job.id, image: job.image });
    }
  }

  #start() {
    if (this.#workers.size >= this.#size || this.#unavailable || this.#closed) return null;
    let started;
    try {
      started = startViewMaker();
    } catch {
      this.#giveUp();
      return null;
    }
    const { worker } = started;
    worker.onmessage = ({ data }) => {
      if (data.hello) {
        started.heard = true;
        started.started();
      } else {
        this.#done(started, data);
      }
    };
    worker.onerror = (event) => {
      event.preventDefault();
      if (started.heard) this.#died(started, event.message);
      else this.#giveUp();
    };
    worker.postMessage(this.#setup);
    this.#workers.set(started, null);
    return started;
  }

  #done(started, { view, error, fatal }) {
    const job = this.#workers.get(started);
    if (!job) return;
    if (fatal) {
      this.#died(started, error.message);
      return;
    }
    this.#workers.set(started, null);
    if (error) job.reject(new PromptLensError(error.code, error.message));
    else job.resolve(view);
    this.#pump();
  }

  /** One photo ended a worker: it alone has no answer, and another worker takes the place. */
  #died(started, message) {
    const job = this.#workers.get(started);
    started.worker.terminate();
    this.#workers.delete(started);
    job?.reject(new PromptLensError("image/invalid", `The photo could not be read: ${message ?? "its decoder stopped"}.`));
    this.#pump();
  }

  #giveUp() {
    this.#unavailable = true;
    const jobs = [...this.#workers.values(), ...this.#waiting].filter(Boolean);
    this.#end();
    for (const job of jobs) job.resolve(null);
  }
}
