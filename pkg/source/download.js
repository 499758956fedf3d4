/*
 * Downloads one large file over HTTP, in order. After a cut or a stall it asks for the rest by range,
 * a limited number of times with growing pauses. It fails if the server contradicts itself.
 */
import { cancelled, PromptLensError } from "../error.js";
import { announced, failed, REQUEST, sameVersion, sleep, Stale, validators, within } from "./http.js";

/** Bytes that an attempt must bring to count as progress. */
const WORTH = 64 * 1024;
const LONGEST_PAUSE = 15_000;
/** The hub counts requests in windows of five minutes. */
const LONGEST_WAIT = 300_000;

/**
 * @typedef {object} Patience
 * @property {number} [retries] attempts in a row without progress before giving up; by default 5
 * @property {number} [delay] milliseconds before the first further attempt, doubled each time; 500
 * @property {number} [stall] milliseconds without a byte that count as a cut; 30000
 * @property {number} [wait] milliseconds to wait in all if a server asks for it; 300000
 */

/**
 * @typedef {object} How
 * @property {AbortSignal} [signal]
 * @property {Patience} [patience]
 * @property {boolean} [hub] the file is of a commit on the hub: it never changes, and a refusal may pass,
 *   because the hub redirects to signed addresses that expire
 * @property {number | null} [size] bytes of the file; `null`: unknown
 * @property {(seconds: number) => void} [onWait] called when the server asks to wait
 */

/**
 * A download in order. `read()` gives the next bytes, and `null` at the end.
 */
export class Download {
  #address;
  #signal;
  #retries;
  #delay;
  #stall;
  /** @type {import("./http.js").Validators | null} */
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
  #hub;
  /** The length that the server announced; it may count encoded bytes. @type {number | null} */
  #announced = null;
  /** The position at which an answer ended before that length; -1: none did. */
  #ended = -1;
  /** The position from which the server refused a range; -1: it did not. */
  #refused = -1;
  /** Whether the file is complete. */
  #over = false;
  #wait;
  #onWait;
  /** Stops listening to the caller's signal. */
  #forget = () => {};

  /**
   * @param {string} address
   * @param {How & {from?: number, known?: import("./http.js").Validators | null}} how `from`: bytes that are there
   *   already; `known`: the version that they are of
   */
  constructor(address, { signal, patience = {}, from = 0, known = null, hub = false, size = null, onWait = () => {} } = {}) {
    this.#address = address;
    this.#signal = signal;
    this.#retries = patience.retries ?? 5;
    this.#delay = patience.delay ?? 500;
    this.#stall = patience.stall ?? 30_000;
    this.#at = from;
    this.#known = size === null ? known : { etag: null, modified: null, ...known, total: size };
    this.#hub = hub;
    this.#wait = patience.wait ?? LONGEST_WAIT;
    this.#onWait = onWait;
  }

  /** The version being read, once an answer has come. */
  get version() {
    return this.#known;
  }

  /** Bytes of the file; `null`: unknown. */
  get total() {
    return this.#known?.total ?? this.#announced;
  }

  /** Position of the next byte. */
  get at() {
    return this.#at;
  }

  /**
   * Waits for the server's first answer.
   *
   * @returns {Promise<boolean>} false: there is no such file
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
      if (this.#over) return null;
      if (this.#known?.total != null && this.#at === this.#known.total) return this.#end(true);
      if (!this.#reader && !(await this.start())) throw failed(this.#address, "it is gone since the download began");
      if (!this.#reader) return this.#end(true);
      const piece = await this.#attempt(() => this.#receive());
      if (piece === undefined) continue;
      if (piece !== null) return piece;
      // The announced length may be too small, so the next `read()` asks for more, once; except of a host
      // that encodes, which would send everything again.
      if (this.total === null || this.#at === this.total) return this.#end(this.#ended === this.#at || this.#encoded);
      // Two answers ended at the same position before the announced length: the file ends there.
      if (this.#known?.total == null && this.#ended === this.#at) return this.#end(true);
      this.#ended = this.#at;
      await this.#attempt(() => {
        const error = failed(this.#address, `the connection ended after ${this.#at} of ${this.total} bytes`);
        throw Object.assign(error, { ended: this.#at });
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

  /** The end of an answer; of the file too, if `over`. */
  #end(over) {
    this.#over = over;
    this.#ended = this.#at;
    this.close();
    return null;
  }

  /** Runs one step. After a failure that may pass it waits and returns `undefined`: try again. */
  async #attempt(step) {
    try {
      return await step();
    } catch (error) {
      this.close();
      if (this.#signal?.aborted) throw cancelled();
      if (error instanceof Stale || error.final) throw error;
      if (error.limited) await this.#rest(error.limited);
      // A host that always compresses may answer a range with nothing.
      if (this.#ended === this.#at && error.ended !== this.#at) this.#encoded = true;
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

  /** Waits as long as a server asks that limits requests. */
  async #rest(seconds) {
    this.#wait -= seconds * 1000;
    if (this.#wait < 0) {
      const minutes = Math.ceil(seconds / 60);
      throw failed(this.#address, `the server allows no more requests from here for now; try again in ${minutes === 1 ? "a minute" : `${minutes} minutes`}`);
    }
    this.#onWait(seconds);
    await sleep(seconds * 1000, this.#signal);
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
    const asked = fetch(this.#address, { ...REQUEST, headers, signal: request.signal });
    const answer = await within(asked, this.#stall, stop);
    const { status } = answer;
    if (status === 404 || status === 410) {
      this.close();
      return false;
    }
    if (status === 416) {
      request.abort();
      if (this.total === this.#at || (this.#known?.total == null && this.#ended === this.#at)) return "end";
      const dated = this.#known?.etag != null || this.#known?.modified != null;
      if (this.#known?.total == null && dated && this.#refused !== this.#at) {
        // Either the announced length is wrong or the server's handling of ranges: read the whole file to see.
        this.#refused = this.#at;
        this.#encoded = true;
        throw failed(this.#address, "the server refuses the rest of it");
      }
      // The range is inside the file as it was, so the file changed.
      if (this.#restarts++ > 0) throw final(failed(this.#address, "the server refuses the rest of it"));
      throw new Stale(this.#address);
    }
    if (status !== 200 && status !== 206) {
      request.abort();
      throw this.#refusal(answer);
    }
    this.#encoded = answer.headers.has("content-encoding");
    const now = validators(answer);
    // Servers of the hub may give different validators for the same file of a commit.
    if (this.#hub) now.etag = now.modified = null;
    if (now.total === null) this.#announced ??= announced(answer);
    if (this.#known && !sameVersion(this.#known, now)) throw new Stale(this.#address);
    // What this answer does not say holds from earlier ones.
    this.#known = {
      etag: now.etag ?? this.#known?.etag ?? null,
      modified: now.modified ?? this.#known?.modified ?? null,
      total: now.total ?? this.#known?.total ?? null,
    };
    const range = /^bytes (\d+)-/.exec(answer.headers.get("content-range") ?? "");
    let start = 0;
    if (status === 206) start = range ? Number(range[1]) : this.#at;
    if (start > this.#at) throw final(failed(this.#address, "the server sends another part than the requested one"));
    this.#skip = this.#at - start;
    if (!answer.body) throw failed(this.#address, "the answer has no body");
    this.#reader = answer.body.getReader();
    return true;
  }

  /** The error for an answer without content, which says whether to wait, to try again, or to give up. */
  #refusal({ status, headers }) {
    const error = Object.assign(failed(this.#address, `the server answers ${status}`), { status });
    if (status === 401 && this.#hub) {
      const why = "it is private or gated, and nobody can be signed in here";
      return final(Object.assign(new PromptLensError("weights/missing", `${this.#address} cannot be downloaded: ${why}.`), { status }));
    }
    const limit = /(?:^|;)\s*t=(\d+)/.exec(headers.get("ratelimit") ?? "")?.[1];
    const seconds = Number((status === 429 && limit) || headers.get("retry-after")) || 0;
    if (status === 429 && seconds * 1000 > LONGEST_PAUSE) return Object.assign(error, { limited: seconds });
    if (status === 429 && seconds === 0 && this.#hub) {
      error.message += " It counts the requests of this network; try again in five minutes.";
    }
    const passes = status === 408 || status === 429 || status >= 500 || (status === 403 && this.#hub);
    return passes ? Object.assign(error, { pause: Math.min(seconds * 1000, LONGEST_PAUSE) }) : final(error);
  }

  /** The next bytes of the answer, with those that are there already. */
  async #next() {
    try {
      return await within(this.#reader.read(), this.#stall, () => this.#request?.abort());
    } catch (error) {
      // The range from here was refused, and the whole file breaks off here too: this is its end.
      if (this.#refused !== this.#at || this.#skip > 0 || this.#signal?.aborted) throw error;
      this.#ended = this.#at;
      return { done: true, value: undefined };
    }
  }

  async #receive() {
    const { done, value } = await this.#next();
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
      throw final(failed(this.#address, `the server sends more than the ${this.#known.total} bytes it announced`));
    }
    if (this.#announced !== null && this.#at > this.#announced) {
      // The length counted encoded bytes, so a range would count them too.
      this.#announced = null;
      this.#encoded = true;
    }
    return fresh;
  }
}

/**
 * A whole small file.
 *
 * @returns {Promise<Uint8Array | null>} `null`: there is none
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

function final(error) {
  return Object.assign(error, { final: true });
}
