/** Photos from dropped folders, from other apps, and the samples. */
import { isImage } from "./folders.js";

/** The cache in which sw.js keeps what another app shares. */
const SHARED = "promptlens-shared";

/**
 * The pictures that come with the page, and the class name that each shows. The first three are photos,
 * whose sources www/samples/README.md names; the others are drawn, see tests/browser/pictures.mjs.
 */
export const SAMPLES = {
  cat: "cat",
  cup: "cup",
  rocket: "rocket",
  sunflower: "sunflower",
  "golf-ball": "golf ball",
  parachute: "parachute",
  church: "church",
};

/**
 * The files that were dropped, and the images in folders that were dropped.
 *
 * @param {DataTransfer} transfer
 * @returns {Promise<File[]>}
 */
export async function droppedFiles(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return [...transfer.files];
  const found = [];
  for (const entry of entries) await walk(entry, found, entry.isFile);
  return found;
}

async function walk(entry, found, wanted) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject)).catch(() => null);
    if (file && (wanted || isImage(file))) found.push(file);
    return;
  }
  const reader = entry.createReader();
  // A reader returns a folder in parts, the last of which is empty.
  for (;;) {
    const part = await new Promise((resolve, reject) => reader.readEntries(resolve, reject)).catch(() => []);
    if (part.length === 0) return;
    for (const child of part) await walk(child, found, false);
  }
}

/** The file of a sample. */
export async function sample(name) {
  const response = await fetch(`samples/${name}.jpg`);
  return new File([await response.blob()], `${name}.jpg`, { type: "image/jpeg" });
}

/** Takes what another app shared, once. */
export async function takeShared() {
  try {
    const cache = await caches.open(SHARED);
    const files = [];
    for (const request of await cache.keys()) {
      const response = await cache.match(request);
      await cache.delete(request);
      if (!response) continue;
      const name = decodeURIComponent(response.headers.get("x-file-name") ?? "");
      files.push(new File([await response.blob()], name, { type: response.headers.get("content-type") ?? "" }));
    }
    return files;
  } catch {
    // Without storage nothing can have been kept.
    return [];
  }
}
