/** Files beyond this are refused by the engine too. */
const MOST_FILE_BYTES = 64 * 1024 * 1024;
/** A smaller pile is answered again in the time that looking it up would save. */
const LEAST_PHOTOS = 25;

/**
 * What computes features and answers: the weights, their form, the device, and the version of the engine.
 * The same photo and the same text here give the same numbers.
 *
 * @param {import("../pkg/index.js").Info} info
 */
export const modelOf = ({ modelSha256, quantization, device, imageSize, dimension, version }) =>
  [modelSha256, quantization, device.kind, imageSize, dimension, version].join(" ");

/**
 * What was computed for photos, kept in this browser under the SHA-256 of each photo's content, so that work
 * on a pile goes on after a reload. Photos and their names are not kept. If the browser keeps nothing, the
 * page computes anew.
 *
 * Event `change`: `any` is another.
 */
export class PhotoMemory extends EventTarget {
  /** Whether something is kept. */
  any = false;
  #open;
  #sha256;
  /** @type {Promise<any> | null} */
  #store = null;
  /** @type {WeakMap<File, Promise<string | null>>} */
  #hashes = new WeakMap();

  /**
   * @param {object} browser
   * @param {() => Promise<{read: Function, write: Function, usage: Function, clear: Function}>} browser.open
   * @param {(content: ArrayBuffer | string) => Promise<string>} browser.sha256
   */
  constructor({ open, sha256 }) {
    super();
    this.#open = open;
    this.#sha256 = sha256;
  }

  /** Whether what is computed for a photo of a pile of this size is kept. */
  holds(photos) {
    return photos >= LEAST_PHOTOS;
  }

  /** Finds out whether something was kept before. */
  async look() {
    await this.#try(async (store) => this.#tell((await store.usage()).count > 0));
  }

  /** The SHA-256 of a text; `null`: this browser computes none. */
  async hashOfText(text) {
    try {
      return await this.#sha256(text);
    } catch {
      // A page without HTTPS.
      return null;
    }
  }

  /** The SHA-256 of a file's content; `null`: it cannot be read, or this browser computes none. */
  hashOf(file) {
    if (!this.#hashes.has(file)) this.#hashes.set(file, this.#hash(file));
    return this.#hashes.get(file);
  }

  async #hash(file) {
    if (file.size > MOST_FILE_BYTES) return null;
    try {
      return await this.#sha256(await file.arrayBuffer());
    } catch {
      // The engine will say why it cannot be read.
      return null;
    }
  }

  /** The value of `key`; `undefined`: there is none. */
  read(key) {
    return this.#try((store) => store.read(key));
  }

  /** @param {string} key @param {any} value @param {number} bytes about how large it is */
  async write(key, value, bytes) {
    await this.#try(async (store) => {
      await store.write(key, value, bytes);
      this.#tell(true);
    });
  }

  /** Deletes all that is kept. What the page shows stays. */
  async forget() {
    await this.#try((store) => store.clear());
    this.#tell(false);
  }

  #tell(any) {
    if (any === this.any) return;
    this.any = any;
    this.dispatchEvent(new Event("change"));
  }

  /** Keeping is a help and never a condition: without a store, or room in it, the work goes on. */
  async #try(work) {
    try {
      return await work(await (this.#store ??= this.#open()));
    } catch {
      return undefined;
    }
  }
}
