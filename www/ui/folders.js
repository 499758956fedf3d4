/** Photos with the name of the folder that they lie in, from a choice or a drop of folders. */

import { tidy } from "./tidy.js";

/** More files than that are a mistake of the hand, and would freeze the page. */
const MOST_FILES = 20_000;

/** @typedef {{file: File, folder: string}} Found `folder` is empty for a file that lies in none */

const IMAGE = /\.(jpe?g|jpe|jfif|pjp|pjpeg|png|apng|webp|gif|bmp|dib)$/i;

/** Whether a file calls itself an image; what lies beside images in a folder is none. */
export const isImage = ({ name, type }) => type.startsWith("image/") || IMAGE.test(name);

const hidden = (name) => name.startsWith(".");

/**
 * Files of a chooser; one of folders tells the path of each.
 *
 * @param {Iterable<File>} files
 * @returns {Found[]}
 */
export function chosen(files) {
  const placed = Array.from(files)
    .filter(({ name }) => !hidden(name))
    .slice(0, MOST_FILES)
    .map((file) => ({ file, folders: file.webkitRelativePath.split("/").slice(0, -1) }));
  return classed(placed);
}

/**
 * Files of a drop, those in folders included.
 *
 * @param {DataTransfer} transfer
 * @returns {Promise<Found[]>}
 */
export function dropped(transfer) {
  // The list is gone once the event is over.
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  // What another page hands over has no place in a file system.
  return entries.length > 0 ? walk(entries) : Promise.resolve(chosen(transfer.files));
}

async function walk(entries) {
  const found = [];
  const waiting = entries.map((entry) => ({ entry, folders: [] }));
  while (waiting.length > 0 && found.length < MOST_FILES) {
    const { entry, folders } = waiting.shift();
    if (hidden(entry.name)) continue;
    if (entry.isDirectory) {
      const inside = await children(entry);
      waiting.push(...inside.map((child) => ({ entry: child, folders: [...folders, entry.name] })));
    } else {
      found.push({ file: await new Promise((resolve, reject) => entry.file(resolve, reject)), folders });
    }
  }
  return classed(found);
}

/**
 * Files with their class folder: the level that most images of a tree lie at. A photo that lies deeper
 * belongs to the class folder around it.
 *
 * @param {{file: File, folders: string[]}[]} placed
 * @returns {Found[]}
 */
function classed(placed) {
  /** How many images of a tree lie how deep. @type {Map<string, Map<number, number>>} */
  const trees = new Map();
  for (const { file, folders } of placed) {
    if (folders.length === 0 || !isImage(file)) continue;
    const depths = trees.get(folders[0]) ?? new Map();
    depths.set(folders.length, (depths.get(folders.length) ?? 0) + 1);
    trees.set(folders[0], depths);
  }
  const level = ([root]) => {
    const counted = [...(trees.get(root) ?? [])].sort(([a, many], [b, more]) => more - many || b - a);
    return counted[0]?.[0] ?? Infinity;
  };
  return placed.map(({ file, folders }) => ({ file, folder: tidy(folders[Math.min(level(folders), folders.length) - 1] ?? "") }));
}

/** A directory hands its entries over in parts, the last of which is empty. */
async function children(directory) {
  const reader = directory.createReader();
  const all = [];
  for (;;) {
    const part = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (part.length === 0) return all.sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
    all.push(...part);
  }
}
