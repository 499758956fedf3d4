/** The classes side by side, each with its photos. */
import { setMessage } from "./i18n.js";
import { thumbnail } from "./thumbnail.js";

/** Pictures that are shown of one class: the newest. */
const SHOWN = 4;
/** Side of a picture, in pixels. */
const SIDE = 96;

const classTemplate = document.getElementById("class-template");

/** @typedef {{label: string, item: HTMLElement, files: File[]}} Column */

export class ClassColumns {
  #list;
  /** By class name. @type {Map<string, Column>} */
  #columns = new Map();
  /** Pictures that were made before; `null`: the browser cannot read the file. @type {WeakMap<File, HTMLCanvasElement | null>} */
  #pictures = new WeakMap();
  /** Settled once no picture is being made: one at a time, so that a folder of photos does not fill the memory. */
  #drawing = Promise.resolve();

  /**
   * @param {HTMLElement} list
   * @param {object} user what is done there
   * @param {(label: string, transfer: DataTransfer) => void} user.drop
   * @param {(label: string, files: FileList) => void} user.choose
   * @param {(label: string) => void} user.remove
   */
  constructor(list, { drop, choose, remove }) {
    this.#list = list;
    const at = (target) => this.#columnOf(target);
    const over = (event, is) => at(event.target)?.item.classList.toggle("over", is);
    list.addEventListener("dragover", (event) => {
      if (!at(event.target)) return;
      event.preventDefault();
      over(event, true);
    });
    list.addEventListener("dragleave", (event) => over(event, false));
    list.addEventListener("drop", (event) => {
      const column = at(event.target);
      if (!column) return;
      event.preventDefault();
      over(event, false);
      drop(column.label, event.dataTransfer);
    });
    list.addEventListener("change", ({ target }) => {
      choose(at(target).label, target.files);
      // The same files may be chosen again.
      target.value = "";
    });
    list.addEventListener("click", ({ target }) => target.closest(".class-remove") && remove(at(target).label));
  }

  #columnOf(target) {
    const item = target.closest("li");
    return [...this.#columns.values()].find((column) => column.item === item);
  }

  /**
   * Shows these classes in this order.
   *
   * @param {[string, File[]][]} classes
   */
  show(classes) {
    const wanted = new Set(classes.map(([label]) => label));
    for (const [label, { item }] of this.#columns) {
      if (wanted.has(label)) continue;
      item.remove();
      this.#columns.delete(label);
    }
    classes.forEach(([label, files], index) => {
      const column = this.#columns.get(label) ?? this.#make(label);
      // Only what is elsewhere is moved: moving takes the focus away.
      if (this.#list.children[index] !== column.item) this.#list.insertBefore(column.item, this.#list.children[index] ?? null);
      if (column.files !== files) this.#fill(column, files);
    });
  }

  /** The class in whose column an element is. */
  labelOf(element) {
    return this.#columnOf(element).label;
  }

  /** Brings the focus to the chooser of a class; returns whether the class is shown. */
  focus(label) {
    this.#columns.get(label)?.item.querySelector("input").focus();
    return this.#columns.has(label);
  }

  #make(label) {
    const item = classTemplate.content.cloneNode(true).firstElementChild;
    const column = { label, item, files: null };
    item.querySelector(".class-name").textContent = label;
    setMessage(item.querySelector("input"), "teach.add-photos-of", { label }, "aria-label");
    setMessage(item.querySelector(".class-record"), "record.hold-for", { label }, "aria-label");
    setMessage(item.querySelector(".class-remove"), "teach.remove", { label }, "aria-label");
    this.#columns.set(label, column);
    return column;
  }

  #fill(column, files) {
    const { item } = column;
    column.files = files;
    item.toggleAttribute("data-taught", files.length > 0);
    setMessage(item.querySelector(".class-count"), files.length > 0 ? "teach.class-photos" : "teach.class-none", { count: files.length });
    item.querySelector(".class-remove").hidden = files.length === 0;
    this.#drawing = this.#drawing.then(() => this.#draw(column, files));
  }

  async #draw(column, files) {
    const pictures = [];
    for (const file of files.slice(-SHOWN)) {
      if (column.files !== files) return;
      if (!this.#pictures.has(file)) this.#pictures.set(file, await thumbnail(file, SIDE));
      pictures.push(this.#pictures.get(file));
    }
    column.item.querySelector(".class-photos").replaceChildren(...pictures.filter(Boolean));
  }
}
