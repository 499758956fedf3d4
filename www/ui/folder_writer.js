/** Copies files into a folder of the reader's computer, through the File System Access API. */
import { numbered } from "./safe_names.js";

/** Names that are tried for one file before it is given up. */
const MOST_NAMES = 1000;

/** Whether this browser lets a page write into a folder that the reader picks. */
export const picksFolders = () => typeof globalThis.showDirectoryPicker === "function";

/** The folder that the reader picks; `null`: none. @returns {Promise<FileSystemDirectoryHandle | null>} */
export async function pickFolder() {
  try {
    return await globalThis.showDirectoryPicker({ id: "promptlens-sorted", mode: "readwrite" });
  } catch (error) {
    if (error.name === "AbortError") return null;
    throw error;
  }
}

/**
 * Copies files into `folder`. What is there already is never changed: a file with the same content is not
 * written again, so that copying can go on after it was stopped, and next to another one of the same name the
 * copy gets a number.
 *
 * @template {import("./zip.js").ZipEntry} T
 * @param {FileSystemDirectoryHandle} folder
 * @param {Iterable<T>} entries
 * @param {object} how
 * @param {AbortSignal} how.signal
 * @param {(done: number) => void} how.onProgress
 * @param {(entry: T, error: Error) => void} how.onFailed
 * @returns {Promise<{written: number, there: number}>} `there`: files that were there before
 */
export async function copyInto(folder, entries, { signal, onProgress, onFailed }) {
  const count = { written: 0, there: 0 };
  let done = 0;
  for (const entry of entries) {
    signal.throwIfAborted();
    try {
      count[await copy(folder, entry, signal)] += 1;
    } catch (error) {
      if (signal.aborted) throw error;
      onFailed(entry, error);
    }
    onProgress((done += 1));
  }
  return count;
}

async function copy(folder, { path, blob }, signal) {
  const parts = path.split("/");
  const wanted = parts.pop();
  let place = folder;
  for (const part of parts) place = await place.getDirectoryHandle(part, { create: true });
  for (let number = 1; number <= MOST_NAMES; number += 1) {
    const name = number === 1 ? wanted : numbered(wanted, number);
    const there = await existing(place, name);
    if (there === null) {
      await write(place, name, blob, signal);
      return "written";
    }
    if (there !== "folder" && (await same(there, blob, signal))) return "there";
  }
  throw new Error("Every name for this file is taken.");
}

/** The file of this name; `null`: there is none. */
async function existing(place, name) {
  try {
    return await (await place.getFileHandle(name)).getFile();
  } catch (error) {
    if (error.name === "NotFoundError") return null;
    if (error.name === "TypeMismatchError") return "folder";
    throw error;
  }
}

/** Parts of files that are compared at a time, in bytes. */
const PART = 1 << 20;

async function same(a, b, signal) {
  if (a.size !== b.size) return false;
  for (let at = 0; at < a.size; at += PART) {
    signal.throwIfAborted();
    const [left, right] = await Promise.all([a, b].map(async (file) => new Uint8Array(await file.slice(at, at + PART).arrayBuffer())));
    if (left.some((byte, i) => byte !== right[i])) return false;
  }
  return true;
}

async function write(place, name, blob, signal) {
  const handle = await place.getFileHandle(name, { create: true });
  try {
    // The browser puts the file in place only once it is complete; a photo in parts is never left behind.
    await blob.stream().pipeTo(await handle.createWritable(), { signal });
  } catch (error) {
    await place.removeEntry(name).catch(() => {});
    // A stream does not say that its file is gone; reading the file does.
    if (!signal.aborted) await blob.arrayBuffer();
    throw error;
  }
}
