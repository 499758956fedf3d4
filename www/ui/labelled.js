/** Photos that lie in a folder for each class, or in an archive of such folders. */
import { isImage } from "./folders.js";

/** Also kinds that the engine does not read: its error names them. */
const ARCHIVE = /\.(zip|tar|tgz|tbz2?|txz|tzst|7z|rar|tar\.\w+)$/i;

/** @typedef {{file: File, folder: string}} Found `folder` is the class; empty: the file lies in none */

/**
 * Files with their class folders, and those of archives in place of the archives. Other files beside
 * photos in a folder are left out.
 *
 * @param {import("./folders.js").Placed[]} placed
 * @param {{unpack: Function, classFolders: Function}} calls `Session.calls`
 * @returns {Promise<Found[]>}
 */
export async function labelled(placed, calls) {
  const inFolders = placed.filter(({ file, path }) => path.includes("/") && isImage(file));
  const labels = inFolders.length > 0 ? await calls.classFolders(inFolders.map(({ path }) => path)) : [];
  const all = inFolders.map(({ file }, i) => ({ file, folder: labels[i] ?? "" }));
  for (const { file: each, path } of placed) {
    if (!ARCHIVE.test(each.name)) {
      if (!path.includes("/")) all.push({ file: each, folder: "" });
      continue;
    }
    const files = await calls.unpack(each);
    const classes = files.some(({ label }) => label !== null);
    for (const { path, label, file } of files) {
      // Beside class folders, a file in another folder belongs to none.
      const astray = classes && label === null && path.includes("/");
      if (file && isImage(file) && !astray) all.push({ file, folder: label ?? "" });
    }
  }
  return all;
}

/** A folder may be called `Golf_ball` where the class is called "golf ball". */
const loosely = (name) => name.normalize().toLowerCase().replaceAll("_", " ").trim();

/**
 * The photos that lie in a folder called like a class.
 *
 * @param {Found[]} found
 * @param {string[]} labels the classes
 * @returns {{examples: {image: File, label: string}[], left: Map<string, number>, loose: number}} `left`: photos of each
 *   folder that is no class; `loose`: photos in no folder
 */
export function fitting(found, labels) {
  const exactly = new Map(labels.map((label) => [label.normalize(), label]));
  // The first of names that differ in nothing else is meant.
  const nearly = new Map([...labels].reverse().map((label) => [loosely(label), label]));
  const examples = [];
  const left = new Map();
  let loose = 0;
  for (const { file, folder } of found) {
    const label = exactly.get(folder.normalize()) ?? nearly.get(loosely(folder));
    if (folder === "") loose += 1;
    else if (label === undefined) left.set(folder, (left.get(folder) ?? 0) + 1);
    else examples.push({ image: file, label });
  }
  return { examples, left, loose };
}
