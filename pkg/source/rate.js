/** How fast bytes come, and how long the rest takes: an exponential moving average. */
export class Rate {
  #memory;
  /** @type {number | null} */
  #last = null;
  #bytes = 0;
  #perSecond = 0;
  #weight = 0;

  /** @param {number} [memory] milliseconds */
  constructor(memory = 3000) {
    this.#memory = memory;
  }

  /**
   * @param {number} bytes that came since the last call
   * @param {number} now milliseconds
   */
  add(bytes, now) {
    this.#last ??= now;
    this.#bytes += bytes;
    const elapsed = now - this.#last;
    // Bursts shorter than a clock tick say nothing about speed.
    if (elapsed < 100) return;
    const keep = Math.exp(-elapsed / this.#memory);
    const speed = (this.#bytes / elapsed) * 1000;
    this.#perSecond = this.#perSecond * keep + speed * (1 - keep);
    this.#weight = this.#weight * keep + (1 - keep);
    this.#bytes = 0;
    this.#last = now;
  }

  /** Bytes per second; `null`: not known yet. */
  get perSecond() {
    return this.#weight > 0 ? this.#perSecond / this.#weight : null;
  }

  /** Seconds for `bytes` more; `null`: unknown. */
  secondsFor(bytes) {
    const speed = this.perSecond;
    return bytes === null || !speed ? null : bytes / speed;
  }
}
