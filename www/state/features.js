import { modelOf } from "./memory.js";

/** Errors of these areas belong to one photo; others end the work. */
const OF_ONE_PHOTO = ["image/", "io/", "engine/not-finite"];

/** Whether an error is about one photo, and the others can go on. */
const isOfOnePhoto = ({ code = "" }) => OF_ONE_PHOTO.some((area) => code.startsWith(area));

/** The L2-normalized features of photos: each is computed once for a model, or was kept from an earlier visit. */
export class Features {
  #session;
  #memory;
  /** What computed `#known`. */
  #model = "";
  /** Features, or why there is none. @type {WeakMap<import("./photo.js").Photo, Float32Array | Error>} */
  #known = new WeakMap();
  /** Settled once nobody else computes. */
  #turn = Promise.resolve();

  /**
   * @param {import("../session.js").Session} session
   * @param {import("./memory.js").PhotoMemory} memory
   */
  constructor(session, memory) {
    this.#session = session;
    this.#memory = memory;
  }

  /**
   * The features of these photos. A photo without one is left out: the engine cannot read it.
   *
   * @param {import("./photo.js").Photo[]} photos
   * @param {object} how
   * @param {AbortSignal} how.signal
   * @param {(loaded: number, total: number) => void} how.onProgress
   * @returns {Promise<Map<import("./photo.js").Photo, Float32Array>>}
   */
  async of(photos, { signal, onProgress }) {
    // Two at the same time would compute the same photos twice.
    const before = this.#turn;
    let release;
    this.#turn = new Promise((resolve) => (release = resolve));
    try {
      await before;
      return await this.#all(photos, signal, onProgress);
    } finally {
      release();
    }
  }

  async #all(photos, signal, onProgress) {
    const model = this.#current();
    const found = new Map();
    let loaded = 0;
    for (const photo of photos) {
      signal.throwIfAborted();
      if (!this.#known.has(photo)) {
        const feature = await this.#feature(photo, model, signal);
        if (model !== this.#current()) throw Object.assign(new Error("Another model answers now."), { key: "pile.other-model" });
        this.#known.set(photo, feature);
      }
      const feature = this.#known.get(photo);
      if (!(feature instanceof Error)) found.set(photo, feature);
      onProgress((loaded += 1), photos.length);
    }
    return found;
  }

  /** What computes now. What another model computed is dropped. */
  #current() {
    const model = this.#session.usable ? modelOf(this.#session.info) : "";
    if (model !== this.#model) this.#known = new WeakMap();
    this.#model = model;
    return model;
  }

  async #feature({ file }, model, signal) {
    const holds = this.#memory.holds(this.#session.photos.size);
    const hash = holds ? await this.#memory.hashOf(file) : null;
    const key = `feature ${model} ${hash}`;
    if (hash !== null) {
      const kept = await this.#memory.read(key);
      if (kept instanceof Float32Array && kept.length === this.#session.info.dimension) return kept;
    }
    try {
      const feature = await this.#session.calls.embedImage(file, { signal });
      if (hash !== null) void this.#memory.write(key, feature, feature.byteLength + key.length);
      return feature;
    } catch (error) {
      if (!isOfOnePhoto(error)) throw error;
      return error;
    }
  }
}

/** The cosine of two features: they are normalized. */
export function cosine(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += a[i] * b[i];
  return sum;
}

/**
 * The photos in the order of their cosine to a feature, the highest first.
 *
 * @template T
 * @param {Map<T, Float32Array>} features
 * @param {Float32Array} wanted
 * @returns {{photo: T, score: number}[]}
 */
export function nearest(features, wanted) {
  const all = Array.from(features, ([photo, feature]) => ({ photo, score: cosine(feature, wanted) }));
  return all.sort((a, b) => b.score - a.score);
}
