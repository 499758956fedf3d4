/** The photos to learn from: of each class, and of none of them. */
import { announce } from "../ui/announce.js";
import { chosen, dropped, isImage } from "../ui/folders.js";
import { integer } from "../ui/format.js";
import { say, t } from "../ui/i18n.js";

const byId = (id) => document.getElementById(`teach-${id}`);
const [zone, folder, files, single, list, counted] = ["drop", "folder", "files", "class", "classes", "count"].map(byId);
const [otherZone, otherFiles, otherCount, otherClear] = ["others", "others-files", "others-count", "others-clear"].map(byId);

/** The option of the list that has the model find the class. No class name is empty. */
const SORT = "";
/** Also kinds that the engine does not read: it says so by name. */
const ARCHIVE = /\.(zip|tar|tgz|tbz2?|txz|tzst|7z|rar|tar\.\w+)$/i;

/** @typedef {import("../ui/folders.js").Placed} Placed */
/** @typedef {{file: File, folder: string}} Found `folder` is the class, empty for a file that lies in none */

/** Photos by class. @type {Map<string, File[]>} */
const photos = new Map();
/** Photos of none of the classes. @type {File[]} */
let others = [];

let page;
/** Whether the reader wants photos without a folder sorted. */
let sorting = false;
/** Whether the recipe learns from photos of none of the classes. */
let open = false;

/** What `classes.train()` takes. */
export const examples = () => [...photos].flatMap(([label, own]) => own.map((image) => ({ image, label })));

/** Photos of none of the classes, where the recipe learns from them. */
export const otherPhotos = () => (open ? [...others] : []);

/** Whether there are photos of a class. */
export const hasPhotos = () => photos.size > 0;

/**
 * @param {object} given
 * @param {() => string[]} given.names
 * @param {(names: string[]) => void} given.addNames puts more names into the list
 * @param {(archive: File) => Promise<import("../pkg/index.js").Unpacked[]>} given.unpack
 * @param {(paths: string[]) => Promise<(string | null)[]>} given.classFolders
 * @param {(files: File[]) => Promise<import("../pkg/index.js").Collected | null>} given.sort null where it was stopped
 * @param {() => void} given.begin what was wrong before is over
 * @param {() => void} given.changed there are other photos
 * @param {(error: Error) => void} given.fail
 */
export function onLesson(given) {
  page = given;
  const safely = async (does) => {
    page.begin();
    try {
      await does();
    } catch (error) {
      page.fail(error);
    }
  };
  const takes = (area, receive) => {
    area.addEventListener("dragover", (event) => event.preventDefault());
    area.addEventListener("drop", (event) => {
      event.preventDefault();
      const found = dropped(event.dataTransfer);
      void safely(async () => receive(await unpacked(await found)));
    });
  };
  const chooses = (chooser, receive) =>
    chooser.addEventListener("change", () => {
      const found = chosen(chooser.files);
      // The same files may be chosen again.
      chooser.value = "";
      void safely(async () => receive(await unpacked(found)));
    });
  takes(zone, take);
  for (const chooser of [folder, files]) chooses(chooser, take);
  takes(otherZone, takeOthers);
  chooses(otherFiles, takeOthers);
  list.addEventListener("click", ({ target }) => {
    const label = target.closest("button")?.value;
    if (label === undefined) return;
    photos.delete(label);
    page.changed();
    (list.querySelector("button") ?? folder).focus();
    announce(t("teach.removed", { label }));
  });
  otherClear.addEventListener("click", () => {
    others = [];
    page.changed();
    otherFiles.focus();
    announce(t("teach.others-none"));
  });
}

/**
 * Files with their class folders, and those of archives in place of the archives. What lies beside photos
 * in a folder is left out.
 *
 * @param {Placed[]} placed
 * @returns {Promise<Found[]>}
 */
async function unpacked(placed) {
  const inFolders = placed.filter(({ file, path }) => path.includes("/") && isImage(file));
  const labels = inFolders.length > 0 ? await page.classFolders(inFolders.map(({ path }) => path)) : [];
  const all = inFolders.map(({ file }, i) => ({ file, folder: labels[i] ?? "" }));
  for (const { file: each, path } of placed) {
    if (!ARCHIVE.test(each.name)) {
      if (!path.includes("/")) all.push({ file: each, folder: "" });
      continue;
    }
    const files = await page.unpack(each);
    const classes = files.some(({ label }) => label !== null);
    for (const { path, label, file } of files) {
      // Beside class folders, a file in another folder belongs to none.
      const astray = classes && label === null && path.includes("/");
      if (file && isImage(file) && !astray) all.push({ file, folder: label ?? "" });
    }
  }
  return all;
}

/** @param {Found[]} found */
async function take(found) {
  const loose = found.filter(({ folder: name }) => !name).map(({ file }) => file);
  const placed = found.filter(({ file, folder: name }) => name && isImage(file));
  const known = new Set(page.names());
  const fresh = [...new Set(placed.map(({ folder: name }) => name))].filter((name) => !known.has(name));
  for (const { file, folder: name } of placed) put(name, file);
  if (fresh.length > 0) page.addNames(fresh);
  if (loose.length > 0 && single.value === SORT) return void (await sort(loose, placed.length));
  for (const file of loose) put(single.value, file);
  announce(t("teach.taken", { count: loose.length + placed.length }));
  page.changed();
}

/** @param {Found[]} found */
function takeOthers(found) {
  others = [...others, ...found.map(({ file }) => file)];
  announce(t("teach.others-count", { count: others.length }));
  page.changed();
}

/** Lets the model find the class of photos that lie in no folder. */
async function sort(files, before) {
  page.changed();
  const sorted = await page.sort(files);
  if (!sorted) return;
  for (const { image, label } of sorted.examples) put(label, image);
  others = [...others, ...sorted.others];
  const left = sorted.surplus.length + sorted.failures.length;
  announce(t("teach.sorted", { count: sorted.examples.length + before, others: sorted.others.length, left }));
  page.changed();
}

function put(label, file) {
  photos.set(label, [...(photos.get(label) ?? []), file]);
}

/** Follows the names of the list. */
export function showClasses(names) {
  const was = single.value;
  single.replaceChildren(...names.map((name) => new Option(name, name)), new Option(t("teach.sort"), SORT));
  if (sorting) single.value = SORT;
  else if (names.includes(was)) single.value = was;
}
single.addEventListener("change", () => {
  sorting = single.value === SORT;
});

/** Shows the photos, and the place for others where the recipe learns from them. */
export function showLesson(withOthers) {
  open = withOthers;
  list.replaceChildren(...[...photos].map(classRow));
  list.hidden = photos.size === 0;
  const count = [...photos.values()].reduce((sum, own) => sum + own.length, 0);
  say(counted, photos.size > 0 ? "teach.photos" : "teach.no-photos", { count, classes: photos.size });
  otherZone.hidden = !open;
  otherClear.hidden = others.length === 0;
  say(otherCount, others.length > 0 ? "teach.others-count" : "teach.others-none", { count: others.length });
}

function classRow([label, own]) {
  const item = document.createElement("li");
  const name = document.createElement("bdi");
  name.textContent = label;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "chip-remove";
  button.value = label;
  button.setAttribute("aria-label", t("teach.remove", { label }));
  button.textContent = "×";
  item.className = "chip";
  item.append(name, ` ${integer(own.length)}`, button);
  return item;
}
