/**
 * The package in Node: `Worker` as browsers have it, around a thread that runs the package's own worker.js
 * with the real engine, on the CPU.
 */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { isMainThread, parentPort, Worker as Thread, workerData } from "node:worker_threads";

/** Every worker that was started, the newest last. @type {ModuleWorker[]} */
export const workers = [];

/** A module worker, as far as the package uses one. */
class ModuleWorker {
  onmessage = null;
  onmessageerror = null;
  onerror = null;
  #thread;

  /** @param {URL} script */
  constructor(script) {
    this.#thread = new Thread(new URL(import.meta.url), { workerData: { script: script.href } });
    this.#thread.on("message", (data) => this.onmessage?.({ data }));
    this.#thread.on("messageerror", () => this.onmessageerror?.());
    this.#thread.on("error", ({ message }) => this.onerror?.({ message, preventDefault() {} }));
    workers.push(this);
  }

  postMessage(data) {
    this.#thread.postMessage(data);
  }

  /** Ends it by an error that nothing catches. */
  crash() {
    this.#thread.postMessage({ crash: true });
  }

  terminate() {
    void this.#thread.terminate();
  }
}

/** Gives this thread what the package needs of a page. */
export function becomePage() {
  globalThis.Worker = ModuleWorker;
  // Of the package's own origin, which then starts its worker as it is.
  globalThis.location = new URL("file:///");
}

/** Gives this thread what worker.js needs of a worker, and runs it. */
async function becomeWorker(script) {
  const scope = new EventTarget();
  const { fetch } = globalThis;
  Object.assign(globalThis, {
    self: globalThis,
    location: new URL("file:///"),
    postMessage: (data) => parentPort.postMessage(data),
    addEventListener: (...args) => scope.addEventListener(...args),
    // Node's own does not read files.
    fetch: async (address, options) => {
      if (!String(address).startsWith("file:")) return fetch(address, options);
      return new Response(await readFile(fileURLToPath(address)), { headers: { "content-type": "application/wasm" } });
    },
  });
  await import(script);
  // Messages wait until the script listens.
  parentPort.on("message", (data) => {
    if (data.crash) throw new Error("crashed");
    scope.dispatchEvent(new MessageEvent("message", { data }));
  });
}

if (!isMainThread && workerData?.script) await becomeWorker(workerData.script);
