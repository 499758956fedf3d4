import { announce } from "../ui/announce.js";
import { chosen, dropped, isImage } from "../ui/folders.js";
import { integer } from "../ui/format.js";
import { onLanguage, setMessage, t } from "../ui/i18n.js";
import { Panel } from "./panel.js";

/** The option of the list that has the model find the class. No class name is empty. */
const SORT = "";
/** Also kinds that the engine does not read: its error names them. */
const ARCHIVE = /\.(zip|tar|tgz|tbz2?|txz|tzst|7z|rar|tar\.\w+)$/i;

/** @typedef {import("../ui/folders.js").Placed} Placed */
/** @typedef {{file: File, folder: string}} Found `folder` is the class; empty: the file lies in none */

/**
 * The photos to learn from: of each class, and of none of them.
 *
 * Events: `begin`: photos are coming, and what was wrong before is over; `change`: there are other photos;
 * `problem`, with an error as its `detail`.
 */
export class LessonPanel extends Panel {
  #single = this.find("teach-class");
  #list = this.find("teach-classes");
  #others = this.find("teach-others");
  /** Photos by class. @type {Map<string, File[]>} */
  #photos = new Map();
  /** Photos of none of the classes. @type {File[]} */
  #otherPhotos = [];
  /** Whether the user wants photos without a folder sorted. */
  #sorting = false;
  /** Whether the recipe learns from photos of none of the classes. */
  #withOthers = false;
  #sort;
  events = new EventTarget();

  /**
   * @param {HTMLElement} root
   * @param {import("../session.js").Session} session
   * @param {(files: File[]) => Promise<import("../pkg/index.js").PseudoLabels | null>} sort finds the classes of
   *   photos; `null`: it was stopped
   */
  constructor(root, session, sort) {
    super(root, session);
    this.#sort = sort;
    this.#takeDrops(this.find("teach-drop"), (found) => this.#take(found));
    for (const name of ["folder", "files"]) this.#takeChoices(this.find(`teach-${name}`), (found) => this.#take(found));
    this.#takeDrops(this.#others, (found) => this.#takeOthers(found));
    const others = this.find("teach-others-files");
    this.#takeChoices(others, (found) => this.#takeOthers(found));
    this.#list.addEventListener("click", ({ target }) => {
      const label = target.closest("button")?.value;
      if (label !== undefined) this.#removeClass(label);
    });
    this.find("teach-others-clear").addEventListener("click", () => {
      this.#otherPhotos = [];
      this.#tell("change");
      others.focus();
      announce(t("teach.others-none"));
    });
    this.#single.addEventListener("change", () => {
      this.#sorting = this.#single.value === SORT;
    });
    this.on("names", () => this.#showClasses());
    onLanguage(() => this.#showClasses());
    this.#showClasses();
  }

  /** What `classes.train()` takes. */
  get examples() {
    return [...this.#photos].flatMap(([label, own]) => own.map((image) => ({ image, label })));
  }

  /** Photos of none of the classes, if the recipe learns from them. */
  get otherPhotos() {
    return this.#withOthers ? [...this.#otherPhotos] : [];
  }

  /** Whether there are photos of a class. */
  get hasPhotos() {
    return this.#photos.size > 0;
  }

  #tell(type, detail) {
    this.events.dispatchEvent(new CustomEvent(type, { detail }));
  }

  async #safely(work) {
    this.#tell("begin");
    try {
      await work();
    } catch (error) {
      this.#tell("problem", error);
    }
  }

  #takeDrops(area, receive) {
    area.addEventListener("dragover", (event) => event.preventDefault());
    area.addEventListener("drop", (event) => {
      event.preventDefault();
      const found = dropped(event.dataTransfer);
      void this.#safely(async () => receive(await this.#unpacked(await found)));
    });
  }

  #takeChoices(chooser, receive) {
    chooser.addEventListener("change", () => {
      const found = chosen(chooser.files);
      // The same files may be chosen again.
      chooser.value = "";
      void this.#safely(async () => receive(await this.#unpacked(found)));
    });
  }

  #removeClass(label) {
    this.#photos.delete(label);
    this.#tell("change");
    (this.#list.querySelector("button") ?? this.find("teach-folder")).focus();
    announce(t("teach.removed", { label }));
  }

  /**
   * Files with their class folders, and those of archives in place of the archives. Other files beside
   * photos in a folder are left out.
   *
   * @param {Placed[]} placed
   * @returns {Promise<Found[]>}
   */
  async #unpacked(placed) {
    const inFolders = placed.filter(({ file, path }) => path.includes("/") && isImage(file));
    const labels = inFolders.length > 0 ? await this.session.calls.classFolders(inFolders.map(({ path }) => path)) : [];
    const all = inFolders.map(({ file }, i) => ({ file, folder: labels[i] ?? "" }));
    for (const { file: each, path } of placed) {
      if (!ARCHIVE.test(each.name)) {
        if (!path.includes("/")) all.push({ file: each, folder: "" });
        continue;
      }
      const files = await this.session.calls.unpack(each);
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
  async #take(found) {
    const loose = found.filter(({ folder }) => !folder).map(({ file }) => file);
    const placed = found.filter(({ file, folder }) => folder && isImage(file));
    for (const { file, folder } of placed) this.#put(folder, file);
    this.session.addNames(placed.map(({ folder }) => folder));
    if (loose.length > 0 && this.#single.value === SORT) return this.#findClasses(loose, placed.length);
    for (const file of loose) this.#put(this.#single.value, file);
    announce(t("teach.taken", { count: loose.length + placed.length }));
    this.#tell("change");
  }

  /** @param {Found[]} found */
  #takeOthers(found) {
    this.#otherPhotos = [...this.#otherPhotos, ...found.map(({ file }) => file)];
    announce(t("teach.others-count", { count: this.#otherPhotos.length }));
    this.#tell("change");
  }

  /** Has the model find the class of photos that lie in no folder. */
  async #findClasses(files, before) {
    this.#tell("change");
    const sorted = await this.#sort(files);
    if (!sorted) return;
    for (const { image, label } of sorted.examples) this.#put(label, image);
    this.#otherPhotos = [...this.#otherPhotos, ...sorted.others];
    const left = sorted.surplus.length + sorted.failures.length;
    announce(t("teach.sorted", { count: sorted.examples.length + before, others: sorted.others.length, left }));
    this.#tell("change");
  }

  #put(label, file) {
    this.#photos.set(label, [...(this.#photos.get(label) ?? []), file]);
  }

  /** Shows the classes that photos without a folder may be of. */
  #showClasses() {
    const { names } = this.session;
    const before = this.#single.value;
    this.#single.replaceChildren(...names.map((name) => new Option(name, name)), new Option(t("teach.sort"), SORT));
    if (this.#sorting) this.#single.value = SORT;
    else if (names.includes(before)) this.#single.value = before;
  }

  /** Shows the photos, and the place for others if the recipe learns from them. */
  show(withOthers) {
    this.#withOthers = withOthers;
    this.#list.replaceChildren(...[...this.#photos].map(classRow));
    this.#list.hidden = !this.hasPhotos;
    const count = this.examples.length;
    setMessage(this.find("teach-count"), this.hasPhotos ? "teach.photos" : "teach.no-photos", { count, classes: this.#photos.size });
    const others = this.#otherPhotos.length;
    this.#others.hidden = !withOthers;
    this.find("teach-others-clear").hidden = others === 0;
    setMessage(this.find("teach-others-count"), others > 0 ? "teach.others-count" : "teach.others-none", { count: others });
  }
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
