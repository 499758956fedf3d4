/* A model on a server: small files, chunks of a pack, or weights files from front to back. */
import { PromptLensError } from "../error.js";
import { whole } from "./download.js";
import { ask } from "./http.js";
import { PackWriter } from "./pack_writer.js";
import { PieceCache } from "./piece_cache.js";
import { WeightsProgress } from "./progress.js";
import { sha256Of } from "./sha256.js";

/** Bytes of a small file or of a chunk, at most. */
const LIMIT = 64 * 1024 * 1024;
const MANIFEST = "manifest.json";

/** @typedef {import("./source.js").Model} Model */

/** @implements {Model} */
export class RemoteModel {
  #place;
  #address;
  #name;
  #store;
  #request;
  #writer;
  #progress;
  /** Small files that were read. @type {Map<string, Uint8Array | null>} */
  #files = new Map();
  /** Names of the files that the manifest of a pack lists. @type {Set<string>} */
  #chunks = new Set();
  /** The weights file that is open, if it exists. @type {PieceCache | null} */
  #pieces = null;
  /** @type {AsyncIterator<Uint8Array> | null} */
  #reading = null;
  /** The last weights file that was asked for. */
  #weights = "";
  /** The version of each weights file. @type {Record<string, import("./http.js").Validators>} */
  #versions = {};

  /**
   * @param {import("./locate.js").Place} place
   * @param {object} how
   * @param {string} how.address what the model is stored under
   * @param {string} how.name
   * @param {import("./model_store.js").ModelStore | null} how.store
   * @param {string | null} how.reason why nothing is stored
   * @param {import("./download.js").How} how.request
   * @param {(event: object) => void} how.progress
   */
  constructor(place, { address, name, store, reason, request, progress }) {
    this.base = place.base;
    this.#place = place;
    this.#address = address;
    this.#name = name;
    this.#store = store;
    this.#request = request;
    this.#progress = new WeightsProgress(progress);
    // The pack matters more than a download that could be resumed.
    this.#writer = new PackWriter(store, { reason, progress, makeRoom: async () => (await this.#pieces?.drop()) ?? false });
  }

  get store() {
    return this.#writer.state;
  }

  get keeps() {
    return this.#writer.writes;
  }

  weightsFile() {
    return this.#place.weightsFile;
  }

  #url(name) {
    return new URL(name, this.base).href;
  }

  /** How to request the file `name`. */
  #how(name) {
    const { files } = this.#place;
    return { ...this.#request, hub: files !== null, size: files?.get(name)?.bytes ?? null };
  }

  async readFile(name) {
    if (this.#isAbsent(name)) return null;
    if (!this.#files.has(name)) this.#files.set(name, await whole(this.#url(name), { ...this.#how(name), limit: LIMIT }));
    const bytes = this.#files.get(name);
    if (name === MANIFEST && bytes) this.#openPack(bytes);
    return bytes;
  }

  /** Whether the server's list says that there is no such file. */
  #isAbsent(name) {
    return this.#place.files !== null && !this.#place.files.has(name);
  }

  #openPack(manifest) {
    try {
      const { chunks } = JSON.parse(new TextDecoder().decode(manifest));
      const bytes = chunks.reduce((sum, chunk) => sum + chunk.bytes, 0);
      this.#chunks = new Set(chunks.map(({ file }) => file));
      this.#progress.open("weights", Number.isSafeInteger(bytes) ? bytes : null);
    } catch {
      // The engine says what is wrong with it.
    }
  }

  async readChunk(name, again) {
    let bytes = again ? null : await this.#store?.read(name);
    const source = bytes ? "cache" : "network";
    if (!bytes) {
      bytes = await whole(this.#url(name), { ...this.#how(name), limit: LIMIT });
      if (!bytes) throw new PromptLensError("weights/missing", `There is no ${this.#url(name)}.`);
      await this.keep(name, bytes);
    }
    if (name.startsWith("weights-") || this.#chunks.has(name)) this.#progress.add(bytes.byteLength, source);
    return bytes;
  }

  async has(name) {
    if (this.#place.files) return this.#place.files.has(name);
    return (await ask(this.#url(name), this.#request.signal)) !== null;
  }

  async open(name, peek) {
    this.close();
    this.#pieces = this.#reading = null;
    if (this.#isAbsent(name)) return false;
    this.#weights = name;
    this.#pieces = await PieceCache.open(name, {
      url: this.#url(name),
      commit: this.#place.commit,
      request: this.#how(name),
      writer: this.#writer,
      onBytes: (bytes, source) => this.#progress.add(bytes, source),
    });
    if (!this.#pieces) return false;
    this.#versions[name] = this.#pieces.version;
    this.#progress.open(name, this.#pieces.total, peek);
    this.#reading = this.#pieces[Symbol.asyncIterator]();
    return true;
  }

  async next() {
    const step = await this.#reading?.next();
    return !step || step.done ? null : step.value;
  }

  async keep(name, bytes) {
    if (this.keeps) await this.#writer.write(name, bytes);
  }

  async finish(manifest, sha256) {
    // In the order of the engine's list, whichever was asked for first.
    const names = Object.keys(this.#versions).sort();
    const hashes = await this.#verify(names, sha256);
    if (!this.keeps) return;
    const { repository, commit } = this.#place;
    const packed = manifest === null;
    const versions = repository ? {} : { ...this.#versions };
    if (packed && !repository) versions[MANIFEST] = (await ask(this.#url(MANIFEST), this.#request.signal)) ?? undefined;
    await this.#writer.finish({
      manifest: packed ? this.#files.get(MANIFEST) : manifest,
      files: this.#files,
      name: this.#name,
      origin: { address: this.#address, file: this.#weights || null, repository, commit },
      versions,
      pin: repository && { repository, commit, files: hashes },
    });
  }

  /** Compares what was read with what the hub says; returns the hub's hash of each file, if it has all. */
  async #verify(names, sha256) {
    const hashes = names.map((name) => this.#place.files?.get(name)?.sha256 ?? null);
    if (hashes.length === 0 || !hashes.every(Boolean)) return {};
    const expected = hashes.length === 1 ? hashes[0] : await sha256Of(hashes.join("\n"));
    if (sha256 !== expected) {
      throw new PromptLensError("weights/invalid", `${this.#weights} is not the file that the hub describes; it was damaged on the way. Load it again.`);
    }
    return Object.fromEntries(names.map((name, i) => [name, hashes[i]]));
  }

  close() {
    this.#pieces?.close();
  }
}
