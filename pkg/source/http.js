/* Requests: their settings, the version of a file that an answer is of, and waiting. */
import { cancelled, PromptLensError } from "../error.js";

/** No referrer: other servers must not learn the page's address, and a hub refuses some referrers. */
export const REQUEST = { cache: "no-store", referrerPolicy: "no-referrer" };

/**
 * @typedef {object} Validators what a server says about a version of a file
 * @property {string | null} etag
 * @property {string | null} modified
 * @property {number | null} total bytes; `null`: unknown
 */

export function failed(address, why) {
  return new PromptLensError("network/failed", `${address} could not be loaded: ${why}.`);
}

/** Thrown when what was read or stored before is outdated, so that loading must start over. */
export class Stale extends PromptLensError {
  constructor(address) {
    super("store/stale", `${address} is not what it was when it was read before.`);
  }
}

/**
 * The version of the file in an answer.
 *
 * @param {Response} answer
 * @returns {Validators}
 */
export function validators(answer) {
  const { headers } = answer;
  const range = /^bytes (\d+)-\d+\/(\d+)$/.exec(headers.get("content-range") ?? "");
  let total = range ? Number(range[2]) : null;
  // Whether another origin encodes its answer cannot be seen.
  if (!range && answer.type !== "cors") total = announced(answer);
  return { etag: headers.get("etag"), modified: headers.get("last-modified"), total: Number.isSafeInteger(total) ? total : null };
}

/**
 * The length that an answer announces. Under an encoding it counts other bytes than those that are
 * read here.
 */
export function announced({ status, headers }) {
  if (status !== 200 || headers.has("content-encoding") || !headers.has("content-length")) return null;
  const length = Number(headers.get("content-length"));
  return Number.isSafeInteger(length) ? length : null;
}

/** Whether two answers may be of the same version. */
export function sameVersion(a, b) {
  return ["etag", "modified", "total"].every((key) => a[key] === null || b[key] === null || a[key] === b[key]);
}

/** The version on the server now; `null`: the server does not say. */
export async function ask(address, signal) {
  try {
    const answer = await fetch(address, { ...REQUEST, method: "HEAD", signal });
    return answer.ok ? validators(answer) : null;
  } catch (error) {
    if (signal?.aborted) throw cancelled();
    return null;
  }
}

/** `promise`, or an error after `milliseconds`, when `giveUp` is called too. */
export function within(promise, milliseconds, giveUp) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`the server sent nothing for ${milliseconds / 1000} seconds`));
      giveUp();
    }, milliseconds);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

export function sleep(milliseconds, signal) {
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
