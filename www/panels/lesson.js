import { announce } from "../ui/announce.js";
import { ClassColumns } from "../ui/classcolumns.js";
import { chosen, dropped, isImage } from "../ui/folders.js";
import { onLanguage, setMessage, t } from "../ui/i18n.js";
import { labelled } from "../ui/labelled.js";
import { tidy } from "../ui/tidy.js";
import { Panel } from "./panel.js";
import { RecorderPanel } from "./recorder.js";

/** The option of the list that has the model find the class. No class name is empty. */
const SORT = "";
/** Classes without photos that are shown; the list may have thousands. */
const MOST_EMPTY = 24;
/** The photos of a class that has none. */
const NONE = [];

/** @typedef {import("../ui/folders.js").Placed} Placed */
/** @typedef {import("../ui/labelled.js").Found} Found */

/**
 * The photos to learn from: of each class, and of none of them.
 *
 * Events: `begin`: photos are coming, and what was wrong before is over; `change`: there are other photos;
 * `problem`, with an error as its `detail`.
 */
export class LessonPanel extends Panel {
  #single = this.find("teach-class");
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
  #columns = new ClassColumns(this.find("teach-classes"), {
    drop: (label, transfer) => this.#receive(dropped(transfer), (found) => this.#takeFor(label, found)),
    choose: (label, files) => this.#receive(chosen(files), (found) => this.#takeFor(label, found)),
    remove: (label) => this.#removeClass(label),
  });
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
    for (const name of ["folder", "files"]) this.#takeChoices(this.find(`teach-${name}`), (found) => this.#take(found));
    this.#takeDrops(this.#others, (found) => this.#takeOthers(found));
    const others = this.find("teach-others-files");
    this.#takeChoices(others, (found) => this.#takeOthers(found));
    // Last: what one of the classes or the others took is not for all of them.
    this.#takeDrops(root, (found) => this.#take(found));
    const added = this.find("teach-add-name");
    this.find("teach-add").addEventListener("submit", (event) => {
      event.preventDefault();
      const name = tidy(added.value);
      added.value = "";
      if (name) session.addNames([name]);
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
    new RecorderPanel(root, session, {
      list: this.find("teach-classes"),
      labelOf: (button) => this.#columns.labelOf(button),
      countOf: (label) => this.#photos.get(label)?.length ?? 0,
      take: (label, photo) => {
        this.#put(label, photo);
        this.#tell("change");
      },
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

  /** How many photos the class has that has the fewest of those that have any; 0: none has. */
  get fewest() {
    return this.hasPhotos ? Math.min(...[...this.#photos.values()].map(({ length }) => length)) : 0;
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
      if (event.defaultPrevented) return;
      event.preventDefault();
      this.#receive(dropped(event.dataTransfer), receive);
    });
  }

  #takeChoices(chooser, receive) {
    chooser.addEventListener("change", () => {
      this.#receive(chosen(chooser.files), receive);
      // The same files may be chosen again.
      chooser.value = "";
    });
  }

  /** @param {Placed[] | Promise<Placed[]>} placed */
  #receive(placed, take) {
    void this.#safely(async () => take(await labelled(await placed, this.session.calls)));
  }

  #removeClass(label) {
    this.#photos.delete(label);
    this.#tell("change");
    // A class that is not in the list of names goes with its photos.
    if (!this.#columns.focus(label)) this.find("teach-folder").focus();
    announce(t("teach.removed", { label }));
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

  /** All of them show one class, whatever folder they lie in. @param {Found[]} found */
  #takeFor(label, found) {
    for (const { file } of found) this.#put(label, file);
    announce(t("teach.taken-for", { count: found.length, label }));
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
    this.#showColumns();
  }

  /** Shows the classes of the list and those that have photos, and how many more there are. */
  #showColumns() {
    const empty = this.session.names.filter((name) => !this.#photos.has(name));
    const shown = [...this.#photos, ...empty.slice(0, MOST_EMPTY).map((name) => [name, NONE])];
    const order = new Map(this.session.names.map((name, index) => [name, index]));
    const place = ([label]) => order.get(label) ?? order.size;
    this.#columns.show(shown.sort((a, b) => place(a) - place(b)));
    const more = this.find("teach-more");
    const hidden = empty.length - MOST_EMPTY;
    more.hidden = hidden <= 0 && shown.length > 0;
    setMessage(more, shown.length > 0 ? "teach.more-classes" : "teach.no-classes", { count: Math.max(0, hidden) });
  }

  /** Shows the photos, and the place for others if the recipe learns from them. */
  show(withOthers) {
    this.#withOthers = withOthers;
    this.#showColumns();
    const count = this.examples.length;
    const classes = this.#photos.size;
    const said = classes === 1 ? "teach.photos-one-class" : "teach.photos";
    setMessage(this.find("teach-count"), this.hasPhotos ? said : "teach.no-photos", { count, classes });
    const others = this.#otherPhotos.length;
    this.#others.hidden = !withOthers;
    this.find("teach-others-clear").hidden = others === 0;
    setMessage(this.find("teach-others-count"), others > 0 ? "teach.others-count" : "teach.others-none", { count: others });
  }
}
