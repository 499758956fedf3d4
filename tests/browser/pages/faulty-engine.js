/*
 * Stands where the engine stands, to bring about what the real one should never do: it traps in a
 * call, traps after one, and takes for ever. The class name chooses.
 */
let trap;

export default async function init({ module_or_path: module }) {
  const { exports } = await WebAssembly.instantiate(module);
  trap = exports.trap;
}

/** No test of this engine asks for a view. */
export const plainView = () => Promise.reject(new Error("no view"));

export class Engine {
  #sets = [];
  freed = [];

  static async load(model, options, onProgress) {
    onProgress({ stage: "weights", loaded: 1, total: 1, source: "cache" });
    return new Engine();
  }

  info() {
    return { freed: [...this.freed] };
  }

  async classes(labels, options, signal) {
    if (labels[0] === "slow to make") await until(signal);
    return this.#sets.push(labels) - 1;
  }

  async classify(id, bytes, options, onProgress, signal) {
    switch (this.#sets[id][0]) {
      case "trap at once":
        return trap();
      case "trap later":
        queueMicrotask(trap);
        return new Promise(() => {});
      case "trap in a promise":
        Promise.resolve().then(trap);
        return new Promise(() => {});
      case "until stopped":
        await until(signal);
        return { stopped: true };
      default:
        return { predictions: [{ label: this.#sets[id][0], probability: bytes.length }] };
    }
  }

  freeClasses(id) {
    this.freed.push(id);
  }
}

const until = (signal) => new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
