import { Photo } from "./photo.js";

/** The photos: all of them, those that wait for an answer, and the one in hand. */
export class Queue {
  /** Every photo, in the order of adding. @type {Set<Photo>} */
  photos = new Set();
  /** The photos without an answer for the settings as they are, in the order of asking. @type {Set<Photo>} */
  pending = new Set();
  /** Whether photos are being answered. */
  working = false;
  /** The photo in hand, and what stops its call. @type {{photo: Photo, call: AbortController} | null} */
  #current = null;
  #run = new AbortController();

  /** Aborted once the settings have changed, or the user has stopped the work. */
  get signal() {
    return this.#run.signal;
  }

  /** How many photos have an answer or an error. */
  get settled() {
    return this.photos.size - this.pending.size - (this.#current ? 1 : 0);
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
    if (this.#current?.photo === photo) this.#current.call.abort();
  }

  clear() {
    this.photos.clear();
    this.pending.clear();
    this.#current?.call.abort();
  }

  /** The next photo comes in hand; `null`: none waits. */
  take() {
    const [photo] = this.pending;
    if (!photo) return null;
    this.pending.delete(photo);
    return (this.#current = { photo, call: new AbortController() });
  }

  /** The photo of `call` is answered, or cannot be. */
  release(call) {
    if (this.#current?.call === call) this.#current = null;
  }

  /** Ends the work; the photo in hand waits again, before the others. */
  stop() {
    if (this.#current) this.pending = new Set([this.#current.photo, ...this.pending]);
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
    this.#current?.call.abort();
    this.#current = null;
    this.working = false;
  }
}
