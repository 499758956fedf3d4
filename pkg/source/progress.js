import { Rate } from "./rate.js";

/** How much of a model's weights has come, over all of their files. */
export class Progress {
  #loaded = 0;
  /** Bytes of each file; `null`: unknown. */
  #sizes = new Map();
  /** The files that were read. */
  #read = new Set();

  /**
   * @param {string} name
   * @param {number | null} size
   * @param {boolean} peek whether only the beginning is read now, and the file later
   */
  open(name, size, peek) {
    this.#sizes.set(name, size);
    if (peek) return;
    // From the start again, for another device.
    if (this.#read.has(name)) {
      this.#read.clear();
      this.#loaded = 0;
    }
    this.#read.add(name);
  }

  add(bytes) {
    this.#loaded += bytes;
    return this;
  }

  get loaded() {
    return this.#loaded;
  }

  /** Bytes of all files; `null`: unknown. */
  get total() {
    let total = 0;
    for (const size of this.#sizes.values()) {
      if (size === null) return null;
      total += size;
    }
    return total;
  }
}

/** Tells the caller how much of the weights has come, how fast they come, and how long the rest takes. */
export class WeightsProgress {
  #tell;
  #read = new Progress();
  #rate = new Rate();
  #peek = false;

  /** @param {(event: object) => void} tell */
  constructor(tell) {
    this.#tell = tell;
  }

  /** The next bytes are of the file `name`; see `Progress.open`. */
  open(name, size, peek = false) {
    this.#peek = peek;
    this.#read.open(name, size, peek);
  }

  /**
   * @param {number} bytes
   * @param {"cache" | "network"} source
   */
  add(bytes, source) {
    const network = source === "network";
    if (network) this.#rate.add(bytes, performance.now());
    if (this.#peek) return;
    const { loaded, total } = this.#read.add(bytes);
    const left = total === null ? null : Math.max(0, total - loaded);
    const bytesPerSecond = network ? this.#rate.perSecond : null;
    const secondsLeft = network ? this.#rate.secondsFor(left) : null;
    this.#tell({ stage: "weights", loaded, total, source, bytesPerSecond, secondsLeft });
  }
}
