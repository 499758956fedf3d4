/*
 * One weights file as pieces of equal size, which are stored while they come: a later load begins with
 * the stored ones and goes on from the network after them.
 */
import { isFull } from "../storage/storage.js";
import { Download, joined } from "./download.js";
import { ask, failed, sameVersion, Stale } from "./http.js";
import { PIECE } from "./model_store.js";

export class PieceCache {
  /** The version that is read, and the commit of the hub that it is of. @type {import("./http.js").Validators & {commit?: string}} */
  version;
  #file;
  #url;
  #writer;
  #store;
  #onBytes;
  /** @type {Download} */
  #download;
  /** Pieces that were stored before. */
  #stored = 0;
  /** Whether the network is asked only for what follows the stored pieces. */
  #resumes = false;
  /** Whether new pieces are stored. */
  #keeping = false;

  /**
   * @param {string} file its name
   * @param {object} how
   * @param {string} how.url
   * @param {string | null} how.commit
   * @param {import("./download.js").How} how.request
   * @param {import("./pack_writer.js").PackWriter} how.writer
   * @param {(bytes: number, source: "cache" | "network") => void} how.onBytes
   * @returns {Promise<PieceCache | null>} `null`: there is no such file
   */
  static async open(file, { url, commit, request, writer, onBytes }) {
    const cache = new PieceCache(file, url, writer, onBytes);
    return (await cache.#open(commit, request)) ? cache : null;
  }

  /** See `open`. */
  constructor(file, url, writer, onBytes) {
    this.#file = file;
    this.#url = url;
    this.#writer = writer;
    this.#store = writer.store;
    this.#onBytes = onBytes;
  }

  async #open(commit, request) {
    let left = (await this.#store?.unfinished(this.#file)) ?? null;
    if (left && !(await this.#isSame(left.version, commit, request.signal))) {
      await this.#store.dropUnfinished();
      left = null;
    }
    this.#stored = left?.pieces ?? 0;
    const known = left?.version ?? null;
    const from = this.#stored * PIECE;
    this.#download = new Download(this.#url, { ...request, from, known });
    this.#resumes = from > 0 && known.total !== null;
    if (this.#resumes) {
      this.version = this.#download.version;
      return true;
    }
    if (!(await this.#download.start())) return false;
    this.version = { ...this.#download.version, commit: commit ?? undefined };
    const { total } = this.version;
    if (this.#writer.writes && (total === null || total > PIECE)) await this.#begin();
    return true;
  }

  /** Whether stored pieces are of the file that is there now. */
  async #isSame(version, commit, signal) {
    if (commit && version.commit) return version.commit === commit;
    const now = await ask(this.#url, signal);
    return !now || sameVersion(version, now);
  }

  /** Notes which version the pieces are of. */
  async #begin() {
    try {
      await this.#store.note(this.#file, this.version);
      this.#keeping = true;
    } catch (error) {
      await this.#writer.giveUp(error);
    }
  }

  /** Bytes of the file; `null`: unknown. */
  get total() {
    return this.#download.total;
  }

  /**
   * The pieces in order; the last may be smaller.
   *
   * @returns {AsyncGenerator<Uint8Array, void>}
   */
  async *[Symbol.asyncIterator]() {
    for (let index = 0; index < this.#stored; index += 1) yield await this.#read(index);
    if (this.#resumes && !(await this.#resume())) return;
    let index = this.#stored;
    for (;;) {
      let parts = [];
      let length = 0;
      for (let bytes; (bytes = await this.#download.read()); ) {
        this.#onBytes(bytes.byteLength, "network");
        // A piece ends exactly at its size, so that a later load can go on there.
        while (length + bytes.byteLength >= PIECE) {
          const end = PIECE - length;
          const piece = joined([...parts, bytes.subarray(0, end)]);
          bytes = bytes.subarray(end);
          parts = [];
          length = 0;
          await this.#write(index, piece);
          index += 1;
          yield piece;
        }
        if (bytes.byteLength > 0) parts.push(bytes);
        length += bytes.byteLength;
      }
      if (length === 0) return;
      this.#keeping = false;
      yield joined(parts);
      // Reads on, since the length that the server announced may be too small.
    }
  }

  async #read(index) {
    const bytes = await this.#store.read(this.#store.pieceName(this.#file, index));
    if (bytes?.byteLength !== PIECE) {
      await this.#store.dropUnfinished();
      throw new Stale(this.#url);
    }
    this.#onBytes(PIECE, "cache");
    return bytes;
  }

  /** Asks the network for what follows the stored pieces; false: nothing does. */
  async #resume() {
    if (this.#download.version.total === this.#stored * PIECE) return false;
    try {
      if (!(await this.#download.start())) throw failed(this.#file, "it is gone since the download began");
    } catch (error) {
      if (error instanceof Stale) await this.#store.dropUnfinished();
      throw error;
    }
    this.#keeping = true;
    return true;
  }

  async #write(index, piece) {
    if (!this.#keeping || !this.#writer.writes) return;
    try {
      await this.#store.write(this.#store.pieceName(this.#file, index), piece);
    } catch (error) {
      if (isFull(error)) await this.drop();
      else await this.#writer.giveUp(error);
    }
  }

  /** Deletes the stored pieces and stores no more; false: none were being stored. */
  async drop() {
    if (!this.#keeping) return false;
    this.#keeping = false;
    await this.#store.dropUnfinished().catch(() => {});
    return true;
  }

  /** Ends the download. */
  close() {
    this.#download.close();
  }
}
