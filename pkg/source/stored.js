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
    const bytes = await this.#store.read(name);
    if (name === "manifest.json") {
      if (!bytes) await this.#discard();
      this.#progress.open("weights", this.#record.bytes);
    }
    return bytes;
  }

  async readChunk(name, again) {
    const bytes = again ? null : await this.#store.read(name);
    if (!bytes) await this.#discard();
    if (name !== "tokenizer.json") this.#progress.add(bytes.byteLength, "cache");
    return bytes;
  }

  /** A file is damaged, or the browser evicted it: the others are unusable without it, so loading starts over. */
  async #discard() {
    await this.#store.clear();
    throw new Stale(this.base);
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
