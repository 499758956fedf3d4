/** Errors after which an engine answers nothing more. */
const FATAL = ["engine/internal", "gpu/lost"];

/** The engine with the model that answers: loading, exchanging, and its end. */
export class Engine {
  /** @type {import("../pkg/index.js").PromptLens | null} */
  lens = null;
  /** What it last said about itself. @type {import("../pkg/index.js").Info | null} */
  info = null;
  /** What it can learn by. @type {import("../pkg/index.js").Recipe[]} */
  recipes = [];
  /** Why there is none. @type {Error | null} */
  error = null;
  /** Settled once the model that was asked for last is there, or is not. @type {Promise<unknown>} */
  begun = Promise.resolve();
  #load;
  #hub;
  #onEnd;
  /** Stops the loading of a model that no longer matters. */
  #attempt = new AbortController();

  /**
   * @param {typeof import("../pkg/index.js").PromptLens.load} load
   * @param {string | undefined} hub the address that models of the hub are loaded from
   * @param {() => void} onEnd called when the engine ended by itself
   */
  constructor(load, hub, onEnd) {
    this.#load = load;
    this.#hub = hub;
    this.#onEnd = onEnd;
  }

  /**
   * Loads a model in place of the one that is there.
   *
   * @param {object} options of `PromptLens.load`
   * @returns {Promise<boolean>} false: it could not be loaded, see `error`; or another model is there meanwhile
   */
  begin(options) {
    const begun = this.#begin(options);
    this.begun = begun;
    return begun;
  }

  async #begin({ onProgress, ...options }) {
    this.#attempt.abort();
    const { signal } = (this.#attempt = new AbortController());
    this.lens?.free();
    this.lens = null;
    this.error = null;
    try {
      const how = { hub: this.#hub, signal, onProgress: (event) => signal.aborted || onProgress(event) };
      await this.#adopt(await this.#load({ ...options, ...how }));
      return true;
    } catch (error) {
      if (!signal.aborted) this.#end(error);
      return false;
    }
  }

  /**
   * Loads another model; the one that is there answers until `ready` is called, and goes on if `check` throws.
   *
   * @param {object} options of `PromptLens.load`
   * @param {() => void} ready
   * @param {(lens: import("../pkg/index.js").PromptLens) => Promise<void>} [check]
   */
  async exchange(options, ready, check = async () => {}) {
    const lens = await this.#load({ hub: this.#hub, ...options });
    try {
      await check(lens);
    } catch (error) {
      lens.free();
      throw error;
    }
    this.#attempt.abort();
    ready();
    this.lens?.free();
    await this.#adopt(lens);
  }

  async #adopt(lens) {
    this.lens = lens;
    this.error = null;
    this.info = lens.info;
    this.recipes = await lens.recipes();
  }

  #end(error) {
    this.lens?.free();
    this.lens = null;
    this.error = error;
  }

  /** Does `work`, and notices when the engine ends with it. */
  async guarded(work) {
    try {
      return await work();
    } catch (error) {
      // Several calls may end with it.
      if (FATAL.includes(error.code) && this.lens) {
        this.#end(error);
        this.#onEnd();
      }
      throw error;
    }
  }

  /** The lens, for calls that cannot wait for one. */
  now() {
    if (!this.lens) throw Object.assign(new Error("There is no model."), { key: "status.failed" });
    return this.lens;
  }
}
