/*
 * Files in the browser: folders of named files in the origin's private file system, or in the Cache
 * API if there is none. Nothing here knows what a model is.
 */
import { cacheStorage } from "./cache_api.js";
import { fileSystem } from "./opfs.js";

const ROOT = "promptlens";

/**
 * @typedef {object} FileStorage
 * @property {"opfs" | "cache"} kind
 * @property {(folder: string, file: string) => Promise<Uint8Array | null>} read `null`: there is none
 * @property {(folder: string, file: string, bytes: Uint8Array) => Promise<void>} write rejects with
 *   `QuotaExceededError` if there is no room
 * @property {(folder: string, file: string) => Promise<void>} drop
 * @property {(folder: string) => Promise<void>} clear
 * @property {() => Promise<{folder: string, file: string, bytes: number}[]>} list
 */

/** @returns {Promise<FileStorage | null>} `null`: the browser stores nothing */
export async function openStorage() {
  try {
    const root = await navigator.storage.getDirectory();
    return fileSystem(await root.getDirectoryHandle(ROOT, { create: true }));
  } catch {
    // No such file system, or not for this page.
  }
  try {
    return cacheStorage(await caches.open(ROOT), ROOT);
  } catch {
    return null;
  }
}

/** Whether an error says that there is no room. */
export const isFull = (error) => error?.name === "QuotaExceededError";
