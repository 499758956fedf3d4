import { Photo } from "./photo.js";

/** The photos: all of them, those that wait for an answer, and those in hand. */
export class Queue {
  /** Every photo, in the order of adding. @type {Set<Photo>} */
  photos = new Set();
  /** The photos without an answer for the settings as they are, in the order of asking. @type {Set<Photo>} */
  pending = new Set();
  /** Whether photos are being answered. */
  working = false;
  /** The photos in hand, in the order of taking, and what drops the answer of each. @type {Map<Photo, AbortController>} */
  #inHand = new Map();
  #run = new AbortController();

  /** Aborted once the settings have changed, or the user has stopped the work. */
  get signal() {
    return this.#run.signal;
  }

  /** How many photos have an answer or an error. */
  get settled() {
    return this.photos.size - this.pending.size - this.#inHand.size;
  }

  /** @param {File[]} files */
  add(files) {
    const added = files.map((file) => new Photo(file));
    for (const photo of added) {
      this.photos.add(photo);
      this.pending.add(photo);
    }
    return added;
  }

  /** @param {Photo} photo */
  remove(photo) {
    this.photos.delete(photo);
    this.pending.delete(photo);
    this.#inHand.get(photo)?.abort();
    this.#inHand.delete(photo);
  }

  clear() {
    this.photos.clear();
    this.pending.clear();
    this.#drop();
  }

  /** The next photo comes in hand; `null`: none waits. */
  take() {
    const [photo] = this.pending;
    if (!photo) return null;
    this.pending.delete(photo);
    const call = new AbortController();
    this.#inHand.set(photo, call);
    return { photo, call };
  }

  /** `photo`, taken with `call`, is answered, or cannot be. */
  release({ photo, call }) {
    if (this.#inHand.get(photo) === call) this.#inHand.delete(photo);
  }

  /** Ends the work; the photos in hand wait again, before the others. */
  stop() {
    this.pending = new Set([...this.#inHand.keys(), ...this.pending]);
    this.#halt();
  }

  /** Ends the work; every photo waits again. */
  reopen() {
    this.#halt();
    this.pending = new Set(this.photos);
  }

  #halt() {
    this.#run.abort();
    this.#run = new AbortController();
    this.#drop();
    this.working = false;
  }

  #drop() {
    for (const call of this.#inHand.values()) call.abort();
    this.#inHand.clear();
  }
}
