/* Stores a pack while a model loads: its files, the pin of its repository, and the record last. */
import { isFull } from "../storage/storage.js";
import { writePin } from "./model_store.js";

/** Small files that are stored with a pack. */
const BESIDE = ["self_test.json", "words.txt.gz"];

/**
 * @typedef {object} Origin
 * @property {string} address what the model is stored under
 * @property {string | null} file its weights file
 * @property {string | null} repository
 * @property {string | null} commit
 */

export class PackWriter {
  /** @type {{kept: boolean, reason: string | null}} */
  state;
  #progress;
  #makeRoom;

  /**
   * @param {import("./model_store.js").ModelStore | null} store
   * @param {object} how
   * @param {string | null} how.reason why nothing is stored; `null`: it is
   * @param {(event: object) => void} how.progress
   * @param {() => Promise<boolean>} how.makeRoom deletes what matters less; false: there is nothing
   */
  constructor(store, { reason, progress, makeRoom }) {
    this.store = store;
    this.state = { kept: false, reason };
    this.#progress = progress;
    this.#makeRoom = makeRoom;
  }

  /** Whether it stores; not if it may not, or gave up. */
  get writes() {
    return this.store !== null && this.state.reason === null;
  }

  /** Writes a file of the pack; false: it gave up. */
  async write(name, bytes) {
    for (;;) {
      try {
        await this.store.write(name, bytes);
        return true;
      } catch (error) {
        if (isFull(error) && (await this.#makeRoom())) continue;
        await this.giveUp(error);
        return false;
      }
    }
  }

  /** Deletes what was stored; the load goes on in memory. */
  async giveUp(error) {
    const reason = isFull(error) ? "quota" : "failed";
    this.state = { kept: false, reason };
    await this.store.clear().catch(() => {});
    this.#progress({ stage: "store", loaded: 0, total: null, source: "network", reason });
  }

  /**
   * Completes the pack, whose chunks are written.
   *
   * @param {object} model
   * @param {string | Uint8Array} model.manifest text: that of a pack made here, which gets its origin;
   *   bytes: that of a pack which came as one, stored as they are
   * @param {Map<string, Uint8Array | null>} model.files small files of the model
   * @param {string} model.name
   * @param {Origin} model.origin
   * @param {object} model.versions of its files on a server that may change them
   * @param {{repository: string, commit: string, files: Record<string, string>} | null} model.pin
   */
  async finish({ manifest, files, name, origin, versions, pin }) {
    const made = typeof manifest === "string";
    const pack = JSON.parse(made ? manifest : new TextDecoder().decode(manifest));
    pack.source.origin ??= origin;
    const bytes = made ? new TextEncoder().encode(JSON.stringify(pack)) : manifest;
    if (!(await this.write("manifest.json", bytes))) return;
    for (const file of BESIDE) {
      const content = files.get(file);
      if (content && !(await this.write(file, content))) return;
    }
    if (pin) await writePin(this.store.storage, origin.address, pin).catch(() => {});
    const record = {
      address: origin.address,
      name,
      quantization: pack.quantization ?? pack.quantisation,
      source: { sha256: pack.source.sha256, bytes: pack.source.bytes, ...origin },
      versions,
      bytes: pack.chunks.reduce((sum, chunk) => sum + chunk.bytes, 0),
      created: new Date().toISOString(),
    };
    try {
      await this.store.writeRecord(record);
      await this.store.dropUnfinished();
      this.state = { kept: true, reason: null };
    } catch (error) {
      await this.giveUp(error);
    }
  }
}
