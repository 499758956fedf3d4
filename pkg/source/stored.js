/* A model that this browser stores as a pack. */
import { Stale } from "./http.js";
import { WeightsProgress } from "./progress.js";

/** @typedef {import("./source.js").Model} Model */

/** @implements {Model} */
export class StoredModel {
  store = { kept: true, reason: null };
  keeps = false;
  #store;
  #record;
  #progress;

  /**
   * @param {import("./model_store.js").ModelStore} store
   * @param {{bytes: number}} record
   * @param {string} address
   * @param {(event: object) => void} progress
   */
  constructor(store, record, address, progress) {
    this.base = address;
    this.#store = store;
    this.#record = record;
    this.#progress = new WeightsProgress(progress);
  }

  weightsFile() {
    return null;
  }

  async readFile(name) {
    // The pack's manifest holds the configuration.
    if (name === "config.json") return null;
    if (name === "manifest.json") this.#progress.open("weights", this.#record.bytes);
    return this.#store.read(name);
  }

  async readChunk(name, again) {
    const bytes = again ? null : await this.#store.read(name);
    if (!bytes) {
      // Damaged, or evicted by the browser: the rest is unusable without it.
      await this.#store.clear();
      throw new Stale(this.base);
    }
    if (name !== "tokenizer.json") this.#progress.add(bytes.byteLength, "cache");
    return bytes;
  }

  async has() {
    return false;
  }

  async open() {
    return false;
  }

  async next() {
    return null;
  }

  async keep() {}
  async finish() {}
  close() {}
}
