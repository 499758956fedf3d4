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
