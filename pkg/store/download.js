/*
 * One large file over HTTP, in order, whatever the connection does: resumed by range after a cut or a
 * stall, tried again a bounded number of times with growing pauses, and refused where the server
 * contradicts itself.
 */
import { cancelled, PromptLensError } from "../error.js";

/** Progress smaller than this does not count as an attempt that helped. */
const WORTH = 64 * 1024;
const LONGEST_PAUSE = 15_000;

/**
 * @typedef {object} Patience
 * @property {number} [retries] attempts in a row without progress before giving up; 5 when left out
 * @property {number} [delay] milliseconds before the first further attempt, doubled each time; 500
 * @property {number} [stall] milliseconds without a byte that count as a cut; 30000
 */

/**
 * @typedef {object} Validators what a server says about a version of a file
 * @property {string | null} etag
 * @property {string | null} modified
 * @property {number | null} total bytes; `null` where it is not known
 */

export function failed(address, why) {
  return new PromptLensError("network/failed", `${address} could not be loaded: ${why}.`);
}

/** Thrown where what was read or kept before is of no use any more, and loading must start over. */
export class Stale extends PromptLensError {
  constructor(address) {
    super("store/stale", `${address} is not what it was when it was read before.`);
  }
}

/**
 * The version that an answer speaks of.
 *
 * @param {Response} answer
 * @returns {Validators}
 */
export function validators(answer) {
  const { headers } = answer;
  // Under an encoding, lengths and positions count other bytes than those that are read here.
  const plain = !headers.has("content-encoding");
  const range = /^bytes (\d+)-\d+\/(\d+)$/.exec(headers.get("content-range") ?? "");
  let total = range ? Number(range[2]) : null;
  if (!range && plain && answer.status === 200 && headers.has("content-length")) total = Number(headers.get("content-length"));
  return { etag: headers.get("etag"), modified: headers.get("last-modified"), total: Number.isSafeInteger(total) ? total : null };
}

/** Whether two answers can speak of the same version. */
export function sameVersion(a, b) {
  return ["etag", "modified", "total"].every((key) => a[key] === null || b[key] === null || a[key] === b[key]);
}

/** The version on the server now; `null` where it does not say. */
export async function ask(address, signal) {
  try {
    const answer = await fetch(address, { method: "HEAD", signal, cache: "no-store" });
    return answer.ok ? validators(answer) : null;
  } catch (error) {
    if (signal?.aborted) throw cancelled();
    return null;
  }
}

/**
 * A download in order. `read()` gives the next bytes, and `null` at the end.
 */
export class Download {
  #address;
  #signal;
  #retries;
  #delay;
  #stall;
  /** @type {Validators | null} */
  #known;
  #at;
  /** @type {ReadableStreamDefaultReader | null} */
  #reader = null;
  /** @type {AbortController | null} */
  #request = null;
  #skip = 0;
  #failures = 0;
  #sinceFailure = 0;
  #restarts = 0;
  #encoded = false;
  /** Forgets the caller's signal. */
  #forget = () => {};

  /**
   * @param {string} address
   * @param {object} how
   * @param {AbortSignal} [how.signal]
   * @param {Patience} [how.patience]
   * @param {number} [how.from] bytes that are there already
   * @param {Validators | null} [how.known] the version that those bytes are of
   */
  constructor(address, { signal, patience = {}, from = 0, known = null } = {}) {
    this.#address = address;
    this.#signal = signal;
    this.#retries = patience.retries ?? 5;
    this.#delay = patience.delay ?? 500;
    this.#stall = patience.stall ?? 30_000;
    this.#at = from;
    this.#known = known;
  }

  /** The version being read, once an answer has come. */
  get version() {
    return this.#known;
  }

  /** Position of the next byte. */
  get at() {
    return this.#at;
  }

  /**
   * Waits for the server's first answer.
   *
   * @returns {Promise<boolean>} false where there is no such file
   */
  async start() {
    while (!this.#reader) {
      const found = await this.#attempt(() => this.#connect());
      if (found === false) return false;
      if (found === "end") return true;
    }
    return true;
  }

  /** @returns {Promise<Uint8Array | null>} */
  async read() {
    for (;;) {
      if (this.#known?.total != null && this.#at === this.#known.total) return this.#end();
      if (!this.#reader && !(await this.start())) throw failed(this.#address, "it is gone since the download began");
      if (!this.#reader) return null;
      const piece = await this.#attempt(() => this.#receive());
      if (piece === undefined) continue;
      if (piece !== null) return piece;
      if (this.#known?.total == null || this.#at === this.#known.total) return this.#end();
      await this.#attempt(() => {
        throw failed(this.#address, `the connection ended after ${this.#at} of ${this.#known.total} bytes`);
      });
    }
  }

  /** Ends the download; nothing more is read. */
  close() {
    this.#forget();
    this.#request?.abort();
    this.#request = null;
    this.#reader = null;
  }

  #end() {
    this.close();
    return null;
  }

  /** Runs one step; a failure that may pass is waited out, and `undefined` says to go on. */
  async #attempt(step) {
    try {
      return await step();
    } catch (error) {
      this.close();
      if (this.#signal?.aborted) throw cancelled();
      if (error instanceof Stale || error.final) throw error;
      this.#failures = this.#sinceFailure >= WORTH ? 1 : this.#failures + 1;
      this.#sinceFailure = 0;
      if (this.#failures > this.#retries) {
        throw error instanceof PromptLensError ? error : failed(this.#address, this.#explain(error));
      }
      const pause = Math.min(this.#delay * 2 ** (this.#failures - 1), LONGEST_PAUSE);
      await sleep(Math.max(pause, error.pause ?? 0), this.#signal);
      return undefined;
    }
  }

  #explain(error) {
    const other = new URL(this.#address).origin !== globalThis.location?.origin;
    const hint = other ? "; the server may be down, or not allow pages of other origins (CORS), or the page may not (CSP)" : "";
    return `${error.message || "the connection broke"}${hint}`;
  }

  async #connect() {
    const request = new AbortController();
    this.#request = request;
    const stop = () => request.abort();
    this.#signal?.addEventListener("abort", stop, { once: true });
    this.#forget = () => this.#signal?.removeEventListener("abort", stop);
    if (this.#signal?.aborted) throw cancelled();
    const ranged = this.#at > 0 && !this.#encoded;
    const headers = ranged ? { Range: `bytes=${this.#at}-` } : {};
    const asked = fetch(this.#address, { headers, signal: request.signal, cache: "no-store" });
    const answer = await within(asked, this.#stall, stop);
    const { status } = answer;
    if (status === 404 || status === 410) {
      this.close();
      return false;
    }
    if (status === 416) {
      request.abort();
      if (this.#known?.total === this.#at) return "end";
      // The range that we ask for is inside the file as it was.
      if (this.#restarts++ > 0) throw final(failed(this.#address, "the server refuses the rest of it"));
      throw new Stale(this.#address);
    }
    if (status === 429 || status >= 500) {
      request.abort();
      const error = failed(this.#address, `the server answers ${status}`);
      error.pause = Math.min(Number(answer.headers.get("retry-after")) * 1000 || 0, LONGEST_PAUSE);
      throw error;
    }
    if (status !== 200 && status !== 206) throw final(failed(this.#address, `the server answers ${status}`));
    this.#encoded = answer.headers.has("content-encoding");
    const now = validators(answer);
    if (this.#known && !sameVersion(this.#known, now)) throw new Stale(this.#address);
    // What an earlier answer said holds where this one says nothing.
    this.#known = {
      etag: now.etag ?? this.#known?.etag ?? null,
      modified: now.modified ?? this.#known?.modified ?? null,
      total: now.total ?? this.#known?.total ?? null,
    };
    const range = /^bytes (\d+)-/.exec(answer.headers.get("content-range") ?? "");
    let start = 0;
    if (status === 206) start = range ? Number(range[1]) : this.#at;
    if (start > this.#at) throw final(failed(this.#address, "the server sends another part than was asked for"));
    this.#skip = this.#at - start;
    if (!answer.body) throw failed(this.#address, "the answer has no body");
    this.#reader = answer.body.getReader();
    return true;
  }

  async #receive() {
    const { done, value } = await within(this.#reader.read(), this.#stall, () => this.#request?.abort());
    if (done) {
      this.#reader = null;
      return null;
    }
    const fresh = value.subarray(Math.min(this.#skip, value.byteLength));
    this.#skip -= value.byteLength - fresh.byteLength;
    if (fresh.byteLength === 0) return undefined;
    this.#at += fresh.byteLength;
    this.#sinceFailure += fresh.byteLength;
    if (this.#known?.total != null && this.#at > this.#known.total) {
      throw final(failed(this.#address, `the server sends more than the ${this.#known.total} bytes it spoke of`));
    }
    return fresh;
  }
}

/**
 * A whole small file.
 *
 * @returns {Promise<Uint8Array | null>} `null` where there is none
 */
export async function whole(address, how) {
  for (const last of [false, true]) {
    try {
      return await once(address, how);
    } catch (error) {
      // Replaced on the server while it was read.
      if (!(error instanceof Stale)) throw error;
      if (last) throw failed(address, "it changes while it is being read");
    }
  }
}

async function once(address, { limit, ...how }) {
  const download = new Download(address, how);
  if (!(await download.start())) return null;
  const parts = [];
  for (let part; (part = await download.read()); ) {
    parts.push(part);
    if (download.at > limit) {
      download.close();
      throw failed(address, `it is larger than ${limit} bytes`);
    }
  }
  return joined(parts);
}

/** @param {Uint8Array[]} parts */
export function joined(parts) {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.byteLength;
  }
  return all;
}

/** `promise`, or an error after `milliseconds`, when `giveUp` is called too. */
function within(promise, milliseconds, giveUp) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`the server sent nothing for ${milliseconds / 1000} seconds`));
      giveUp();
    }, milliseconds);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

function sleep(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(cancelled());
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    if (signal?.aborted) stop();
    else signal?.addEventListener("abort", stop, { once: true });
  });
}

function final(error) {
  return Object.assign(error, { final: true });
}
