/* A model in files that the user chose: a folder of the disk, or files that were dropped. */
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

/** @typedef {import("./source.js").Model} Model */

/** @implements {Model} */
export class LocalModel {
  base = "";
  store = { kept: false, reason: "local" };
  keeps = false;
  #files;
  #model;
  #progress;
  /** @type {File | null} */
  #open = null;
  #at = 0;
  /** Whether only the beginning of the open file is read, which is no progress. */
  #peek = false;
  #progressOf = new Progress();

  /**
   * @param {FileSystemDirectoryHandle | File[]} model
   * @param {(event: object) => void} progress
   */
  constructor(model, progress) {
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

  weightsFile() {
    return null;
  }

  async readFile(name) {
    const file = await this.#file(name);
    return file ? this.#bytes(file) : null;
  }

  async readChunk(name) {
    const bytes = await this.readFile(name);
    if (!bytes) throw new PromptLensError("weights/missing", `The model has no ${name}.`);
    return bytes;
  }

  async has(name) {
    return (await this.#file(name)) !== null;
  }

  async open(name, peek) {
    this.#open = await this.#file(name);
    this.#at = 0;
    this.#peek = peek;
    if (this.#open) this.#progressOf.open(name, this.#open.size, peek);
    return this.#open !== null;
  }

  async next() {
    const file = this.#open;
    if (this.#at >= file.size) return null;
    const bytes = await this.#bytes(file.slice(this.#at, this.#at + PIECE));
    this.#at += bytes.byteLength;
    if (!this.#peek) {
      const { loaded, total } = this.#progressOf.add(bytes.byteLength);
      this.#progress({ stage: "weights", loaded, total, source: "cache" });
    }
    return bytes;
  }

  async keep() {}
  async finish() {}
  close() {}
}
