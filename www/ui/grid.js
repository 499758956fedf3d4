/** Hundreds of photos as tiles, of which only those in sight exist. */
import { wholePercent } from "./format.js";
import { setMessage, t } from "./i18n.js";
import { problemText } from "./problem.js";
import { thumbnail } from "./thumbnail.js";

/** Height of a row, and the least width of a tile, in CSS pixels. */
const ROW = 168;
const COLUMN = 132;
/** Rows that exist beyond what is in sight. */
const SPARE = 2;
/** Side of a preview, in pixels. */
const THUMB = 120;

const tileTemplate = document.getElementById("tile-template");

/** @typedef {import("../state/photo.js").Photo} Photo */

/** The list of tiles. */
export class Grid {
  #list;
  #open;
  #paint;
  /** @type {Photo[]} */
  #photos = [];
  /** The tiles there are, and what ends their listening. @type {Map<Photo, {tile: HTMLElement, gone: AbortController}>} */
  #tiles = new Map();
  /** Small pictures of photos that were in sight. @type {WeakMap<Photo, HTMLCanvasElement>} */
  #previews = new WeakMap();
  #columns = 1;
  #scheduled = false;

  /**
   * @param {HTMLElement} list
   * @param {(photo: Photo) => void} open shows the photo whose tile was chosen
   * @param {(photo: Photo, tile: HTMLElement) => void} [paint] writes what a tile says: its answer
   */
  constructor(list, open, paint = paintAnswer) {
    this.#list = list;
    this.#open = open;
    this.#paint = paint;
    const schedule = () => this.#schedule();
    addEventListener("scroll", schedule, { passive: true });
    addEventListener("resize", schedule);
    new ResizeObserver(schedule).observe(list);
    list.addEventListener("keydown", (event) => this.#move(event));
  }

  /** Shows these photos, in this order; none hides the grid. */
  show(photos) {
    const before = this.#photos;
    this.#photos = photos;
    this.#list.hidden = photos.length === 0;
    if (photos.length === 0) {
      for (const photo of this.#tiles.keys()) this.#drop(photo);
      return;
    }
    if (before.length === photos.length && before.every((photo, i) => photo === photos[i])) return;
    this.#layout();
  }

  /** Moves the focus to a photo's tile, which is brought into sight. */
  focus(photo) {
    const index = this.#photos.indexOf(photo);
    if (index < 0) return;
    const top = this.#list.getBoundingClientRect().top + scrollY + Math.floor(index / this.#columns) * ROW;
    if (top < scrollY || top + ROW > scrollY + innerHeight) scrollTo({ top: Math.max(0, top - innerHeight / 2) });
    this.#layout();
    this.#tiles.get(photo)?.tile.querySelector("button").focus({ preventScroll: true });
  }

  /** Writes numbers anew, in the language that is shown. */
  reword() {
    for (const [photo, { tile }] of this.#tiles) this.#paint(photo, tile);
  }

  #schedule() {
    if (this.#scheduled || this.#list.hidden) return;
    this.#scheduled = true;
    requestAnimationFrame(() => {
      this.#scheduled = false;
      this.#layout();
    });
  }

  /** Makes the tiles that are in sight, and drops the others. */
  #layout() {
    const photos = this.#photos;
    this.#columns = Math.max(1, Math.floor(this.#list.clientWidth / COLUMN));
    const rows = Math.ceil(photos.length / this.#columns);
    this.#list.style.height = `${rows * ROW}px`;
    const { top } = this.#list.getBoundingClientRect();
    const first = Math.max(0, Math.floor(-top / ROW) - SPARE) * this.#columns;
    const last = Math.min(photos.length, (Math.ceil((innerHeight - top) / ROW) + SPARE) * this.#columns);
    const seen = new Set(photos.slice(first, Math.max(first, last)));
    for (const [photo, { tile }] of this.#tiles) {
      // What has the focus stays, or the user would be thrown out of the list.
      if (!seen.has(photo) && !tile.contains(document.activeElement)) this.#drop(photo);
    }
    for (let index = first; index < last; index += 1) this.#place(photos[index], index);
  }

  #place(photo, index) {
    const tile = this.#tiles.get(photo)?.tile ?? this.#make(photo);
    tile.style.insetBlockStart = `${Math.floor(index / this.#columns) * ROW}px`;
    tile.style.insetInlineStart = `${((index % this.#columns) / this.#columns) * 100}%`;
    tile.style.inlineSize = `${100 / this.#columns}%`;
    tile.setAttribute("aria-posinset", String(index + 1));
    tile.setAttribute("aria-setsize", String(this.#photos.length));
  }

  #make(photo) {
    const tile = tileTemplate.content.cloneNode(true).firstElementChild;
    const gone = new AbortController();
    this.#tiles.set(photo, { tile, gone });
    for (const type of ["change", "verdict"]) photo.addEventListener(type, () => this.#paint(photo, tile), { signal: gone.signal });
    tile.querySelector("button").addEventListener("click", () => this.#open(photo));
    this.#paint(photo, tile);
    this.#list.append(tile);
    void this.#preview(photo, tile);
    return tile;
  }

  #drop(photo) {
    const { tile, gone } = this.#tiles.get(photo);
    gone.abort();
    tile.remove();
    this.#tiles.delete(photo);
  }

  async #preview(photo, tile) {
    const canvas = this.#previews.get(photo) ?? (await thumbnail(photo.file, THUMB));
    if (!canvas) return;
    this.#previews.set(photo, canvas);
    tile.querySelector(".tile-picture").replaceChildren(canvas);
  }

  #move(event) {
    const photos = this.#photos;
    const index = photos.findIndex((photo) => this.#tiles.get(photo)?.tile.contains(event.target));
    const rtl = getComputedStyle(this.#list).direction === "rtl" ? -1 : 1;
    const step = { ArrowRight: rtl, ArrowLeft: -rtl, ArrowDown: this.#columns, ArrowUp: -this.#columns }[event.key];
    const to = event.key === "Home" ? 0 : event.key === "End" ? photos.length - 1 : index + step;
    if (index < 0 || !(to >= 0 && to < photos.length)) return;
    event.preventDefault();
    this.focus(photos[to]);
  }
}

function paintAnswer(photo, tile) {
  tile.dataset.state = photo.state;
  const button = tile.querySelector("button");
  const label = tile.querySelector(".tile-label bdi");
  const share = tile.querySelector(".tile-share");
  const [best] = photo.result?.predictions ?? [];
  const out = photo.result?.ood?.isOutlier === true;
  tile.classList.toggle("out", out);
  label.textContent = photo.error ? t("grid.failed") : (best?.label ?? "…");
  share.textContent = best && !photo.error ? wholePercent(best.probability) : "";
  const words = { name: photo.name, label: best?.label ?? "", share: () => wholePercent(best?.probability ?? 0), message: () => (photo.error ? problemText(photo.error) : "") };
  const verdict = () => t("verdict.out");
  if (photo.error) setMessage(button, "grid.problem", words, "aria-label");
  else if (best && photo.done) setMessage(button, out ? "card.answer-verdict" : "card.answer", { ...words, verdict }, "aria-label");
  else setMessage(button, "grid.waiting", words, "aria-label");
}
