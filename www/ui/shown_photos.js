/** Some of the photos, in an order of their own, under a heading: what was found. */
import { Grid } from "./grid.js";
import { setMessage } from "./i18n.js";

/**
 * @typedef {object} Caption
 * @property {() => string} label
 * @property {() => string} mark
 * @property {[key: string, values: object]} spoken
 * @property {string} [group] photos of a group have the same; it is `odd` or `even`, and groups alternate
 *
 * @typedef {{photo: import("../state/photo.js").Photo, caption: Caption}} Item
 */
export class ShownPhotos {
  #root;
  #title;
  #grid;
  /** @type {Item[]} */
  #items = [];
  /** @type {Map<import("../state/photo.js").Photo, Caption>} */
  #captions = new Map();

  /**
   * @param {HTMLElement} root with a heading, a button that closes it, and a list
   * @param {(photo: import("../state/photo.js").Photo) => void} open shows one photo
   */
  constructor(root, open) {
    this.#root = root;
    this.#title = root.querySelector("h3");
    this.#grid = new Grid(root.querySelector("ul"), open, (photo, tile) => this.#paint(photo, tile));
    root.querySelector("button").addEventListener("click", () => this.close());
  }

  get open() {
    return !this.#root.hidden;
  }

  /** @param {[key: string, values: object]} title @param {Item[]} items */
  show(title, items) {
    setMessage(this.#title, ...title);
    this.#root.hidden = false;
    this.#arrange(items);
    this.#grid.reword();
  }

  /** Brings the heading into sight, and readers of the screen to it. */
  focus() {
    this.#title.focus();
  }

  remove(photo) {
    if (this.open) this.#arrange(this.#items.filter((item) => item.photo !== photo));
  }

  close() {
    this.#root.hidden = true;
    this.#arrange([]);
  }

  reword() {
    this.#grid.reword();
  }

  #arrange(items) {
    this.#items = items;
    this.#captions = new Map(items.map(({ photo, caption }) => [photo, caption]));
    this.#grid.show(items.map(({ photo }) => photo));
  }

  #paint(photo, tile) {
    const caption = this.#captions.get(photo);
    if (!caption) return;
    tile.dataset.state = "done";
    tile.querySelector(".tile-label bdi").textContent = caption.label();
    tile.querySelector(".tile-share").textContent = caption.mark();
    if (caption.group) tile.dataset.group = caption.group;
    else delete tile.dataset.group;
    setMessage(tile.querySelector("button"), ...caption.spoken, "aria-label");
  }
}
