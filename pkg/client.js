import { PromptLensError, cancelled, invalid } from "./error.js";
import { startEngine } from "./spawn.js";

/**
 * @typedef {object} Call
 * @property {(value: any) => void} resolve
 * @property {(error: PromptLensError) => void} reject
 * @property {(event: any) => void} progress
 * @property {(() => void) | undefined} abandon forgets the abort listener
 * @property {((value: any) => void) | undefined} discard releases a value nobody waits for any more
 * @property {boolean} abandoned
 */

/** The engine's code once a worker has compiled it: the next ones of the page start from it. @type {WebAssembly.Module | null} */
let code = null;

/** The engine's code, compiled; `null` until an engine has been loaded. */
export const compiledEngine = () => code;

/** Calls into the engine's worker: numbered requests, progress, cancelling, and what happens when it dies. */
export class EngineClient {
  /** @type {Worker} */
  #worker;
  /** @type {Map<number, Call>} */
  #calls = new Map();
  #lastId = 0;
  #heard = false;
  /** @type {{code: string, message: string} | null} why no further call is possible */
  #end = null;
  #started;

  /** What the engine last said about itself; `null` until it has loaded. */
  info = null;
  /** Where the model came from, for others to load it from too; `null`: from nowhere that they can. @type {string | null} */
  address = null;

  /** @param {Worker} [given] one that runs `worker.js` already, for pages that have it inlined */
  constructor(given) {
    try {
      const { worker, started } = given ? { worker: given, started() {} } : startEngine();
      this.#worker = worker;
      this.#started = started;
    } catch (error) {
      throw new PromptLensError("engine/internal", `The engine's worker could not be started: ${error.message}`);
    }
    this.#worker.onmessage = ({ data }) => this.#receive(data);
    this.#worker.onmessageerror = () => this.#close("engine/internal", "The engine sent a message that cannot be read.");
    this.#worker.onerror = (event) => {
      event.preventDefault();
      if (this.#heard) {
        this.#close("engine/internal", `The engine stopped: ${event.message ?? "unknown error"}. Load it again.`);
      } else {
        const folder = new URL(".", import.meta.url).href;
        this.#close(
          "network/failed",
          `The engine could not be loaded from ${folder}. Check that all files of the package are there, ` +
            "and that the page's Content-Security-Policy allows its worker.",
        );
      }
    };
  }

  /**
   * Loads a model into the worker.
   *
   * @param {{model: any, options: object}} what
   * @param {{signal?: AbortSignal, onProgress?: (event: any) => void}} how
   */
  load(what, how) {
    return this.call("load", { ...what, code }, how);
  }

  /**
   * Runs `op` in the worker, after all calls made before it.
   *
   * @param {string} op
   * @param {object} args must be structured-cloneable
   * @param {object} [how]
   * @param {AbortSignal} [how.signal] rejects at once with `engine/cancelled`
   * @param {(event: any) => void} [how.onProgress]
   * @param {(value: any) => void} [how.discard] called with a result that came after cancelling
   * @returns {Promise<any>}
   */
  call(op, args, { signal, onProgress, discard } = {}) {
    if (this.#end) return Promise.reject(new PromptLensError(this.#end.code, this.#end.message));
    if (signal?.aborted) return Promise.reject(cancelled());
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      try {
        this.#worker.postMessage({ id, op, args });
      } catch (error) {
        reject(invalid(`An option cannot be sent to the engine: ${error.message}`));
        return;
      }
      /** @type {Call} */
      const call = { resolve, reject, discard, abandoned: false, abandon: undefined, progress: report(onProgress) };
      if (signal) {
        const onAbort = () => {
          call.abandoned = true;
          this.#worker.postMessage({ abort: id });
          reject(cancelled());
        };
        signal.addEventListener("abort", onAbort, { once: true });
        call.abandon = () => signal.removeEventListener("abort", onAbort);
      }
      this.#calls.set(id, call);
    });
  }

  /** Ends the worker and everything it holds, GPU memory included. Waiting calls are rejected. */
  free() {
    this.#close("engine/freed", "This PromptLens was freed. Load a new one.");
  }

  #receive(message) {
    this.#heard = true;
    if (message.hello) {
      this.#started();
      return;
    }
    if (message.code) {
      code = message.code;
      return;
    }
    if (message.fatal !== undefined) {
      this.#close(message.fatal.code, message.fatal.message);
      return;
    }
    const call = this.#calls.get(message.id);
    if (!call) return;
    if (message.progress) {
      if (!call.abandoned) call.progress(message.progress);
      return;
    }
    this.#calls.delete(message.id);
    call.abandon?.();
    if (message.info) this.info = message.info;
    if (message.error) call.reject(new PromptLensError(message.error.code, message.error.message));
    else if (call.abandoned) call.discard?.(message.value);
    else call.resolve(message.value);
  }

  #close(code, message) {
    if (this.#end) return;
    this.#end = { code, message };
    this.#started();
    this.#worker.terminate();
    for (const call of this.#calls.values()) {
      call.abandon?.();
      call.reject(new PromptLensError(code, message));
    }
    this.#calls.clear();
  }
}

/** A progress listener whose own errors are reported to the page and do not disturb the call. */
function report(listener) {
  if (!listener) return () => {};
  return (event) => {
    try {
      listener(event);
    } catch (error) {
      reportError(error);
    }
  };
}
