/* A model in files that the reader chose: a folder of the disk, or files that were dropped. */
import { PromptLensError } from "../error.js";
import { PIECE } from "./model_store.js";
import { Progress } from "./progress.js";

/** Every file by its name, those in folders inside left out. */
async function byName(model) {
  const files = new Map();
  if (Array.isArray(model)) {
    const depth = ({ webkitRelativePath: path }) => (path ? path.split("/").length : 0);
    const top = Math.min(...model.map(depth));
    for (const file of model) if (depth(file) === top) files.set(file.name, file);
    return files;
  }
  for await (const [name, handle] of model.entries()) {
    if (handle.kind === "file") files.set(name, await handle.getFile());
  }
  return files;
}

/** A model source over local files; see source.js. */
export class LocalSource {
  source = "cache";
  store = { kept: false, reason: "local" };
  #files;
  #model;
  #progress;
  /** @type {File | null} */
  #open = null;
  #at = 0;
  /** Whether the open file is only looked into, which is no progress. */
  #look = false;
  #progressOf = new Progress();

  constructor(model, { progress }) {
    this.#model = model;
    this.#progress = progress;
    this.name = Array.isArray(model) ? "files" : model.name;
  }

  async #file(name) {
    try {
      this.#files ??= await byName(this.#model);
    } catch (error) {
      throw new PromptLensError("io/failed", `The folder could not be read: ${error.message}`);
    }
    return this.#files.get(name) ?? null;
  }

  async #bytes(blob) {
    try {
      return new Uint8Array(await blob.arrayBuffer());
    } catch (error) {
      throw new PromptLensError("io/failed", `A file of the model could not be read: ${error.message}`);
    }
  }

  async only() {
    return null;
  }

  async small(name) {
    const file = await this.#file(name);
    return file ? this.#bytes(file) : null;
  }

  async chunk(name) {
    const bytes = await this.small(name);
    if (!bytes) throw new PromptLensError("weights/missing", `The model has no ${name}.`);
    return bytes;
  }

  async has(name) {
    return (await this.#file(name)) !== null;
  }

  async open(name, look) {
    this.#open = await this.#file(name);
    this.#at = 0;
    this.#look = look;
    if (this.#open) this.#progressOf.open(name, this.#open.size, look);
    return this.#open !== null;
  }

  async next() {
    const file = this.#open;
    if (this.#at >= file.size) return null;
    const bytes = await this.#bytes(file.slice(this.#at, this.#at + PIECE));
    this.#at += bytes.byteLength;
    if (!this.#look) {
      const { loaded, total } = this.#progressOf.add(bytes.byteLength);
      this.#progress({ stage: "weights", loaded, total, source: "cache" });
    }
    return bytes;
  }

  keeps() {
    return false;
  }

  async keep() {}
  async finished() {}
  async close() {}
}
