/** Photos with their paths, from folders that were chosen or dropped. */

/** More files than that were chosen by mistake, and would freeze the page. */
const MOST_FILES = 20_000;

/** @typedef {{file: File, path: string}} Placed `path` begins with the folder that was chosen; alone, it is the name */

const IMAGE = /\.(jpe?g|jpe|jfif|pjp|pjpeg|png|apng|webp|gif|bmp|dib|avif|heic|heif)$/i;

/** Whether a file is an image, by its type or its name; other files in a folder of images are ignored. */
export const isImage = ({ name, type }) => type.startsWith("image/") || IMAGE.test(name);

const hidden = (name) => name.startsWith(".");

/**
 * The files of a chooser; one for folders has the path of each.
 *
 * @param {Iterable<File>} files
 * @returns {Placed[]}
 */
export function chosen(files) {
  return Array.from(files)
    .filter(({ name }) => !hidden(name))
    .slice(0, MOST_FILES)
    .map((file) => ({ file, path: file.webkitRelativePath || file.name }));
}

/**
 * Files of a drop, those in folders included.
 *
 * @param {DataTransfer} transfer
 * @returns {Promise<Placed[]>}
 */
export function dropped(transfer) {
  // The browser empties the list after the event.
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  // Images dragged from another page have no path.
  return entries.length > 0 ? walk(entries) : Promise.resolve(chosen(transfer.files));
}

async function walk(entries) {
  const found = [];
  const waiting = entries.map((entry) => ({ entry, folder: "" }));
  while (waiting.length > 0 && found.length < MOST_FILES) {
    const { entry, folder } = waiting.shift();
    if (hidden(entry.name)) continue;
    const path = folder + entry.name;
    if (entry.isDirectory) {
      const inside = await childrenOf(entry);
      waiting.push(...inside.map((child) => ({ entry: child, folder: `${path}/` })));
    } else {
      found.push({ file: await new Promise((resolve, reject) => entry.file(resolve, reject)), path });
    }
  }
  return found;
}

/** The entries right inside a folder, by name. A browser gives them in parts, the last of which is empty. */
export async function childrenOf(directory) {
  const reader = directory.createReader();
  const all = [];
  for (;;) {
    const part = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (part.length === 0) return all.sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
    all.push(...part);
  }
}
