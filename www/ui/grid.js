/** Hundreds of photos as tiles, of which only those in sight exist. */
import { upright } from "../pkg/upright.js";
import { wholePercent } from "./format.js";
import { say, t } from "./i18n.js";
import { problemText } from "./problem.js";

/** Height of a row, and the least width of a tile, in CSS pixels. */
const ROW = 168;
const COLUMN = 132;
/** Rows that exist beyond what is in sight. */
const SPARE = 2;
/** Side of a preview, in pixels. */
const THUMB = 120;

const list = document.getElementById("grid");
const tileTemplate = document.getElementById("tile-template");

/** @type {import("./card.js").Card[]} */
let cards = [];
/** The tiles there are, by card. @type {Map<import("./card.js").Card, HTMLElement>} */
const tiles = new Map();
/** Small pictures of photos that were in sight. @type {WeakMap<import("./card.js").Card, HTMLCanvasElement>} */
const previews = new WeakMap();
let columns = 1;
let scheduled = false;
let open = () => {};

/** Calls `show` with the card whose tile was chosen. */
export function onTile(show) {
  open = show;
}

/** Shows these cards, in this order; none hides the grid. */
export function showGrid(next) {
  const before = cards;
  cards = next;
  list.hidden = cards.length === 0;
  if (cards.length === 0) {
    for (const card of tiles.keys()) drop(card);
    return;
  }
  if (before.length === cards.length && before.every((card, i) => card === cards[i])) return;
  layout();
}

/** Moves the focus to a card's tile, which is brought into sight. */
export function focusTile(card) {
  const index = cards.indexOf(card);
  if (index < 0) return;
  const top = list.getBoundingClientRect().top + scrollY + Math.floor(index / columns) * ROW;
  if (top < scrollY || top + ROW > scrollY + innerHeight) scrollTo({ top: Math.max(0, top - innerHeight / 2) });
  layout();
  tiles.get(card)?.querySelector("button").focus({ preventScroll: true });
}

function schedule() {
  if (scheduled || list.hidden) return;
  scheduled = true;
  requestAnimationFrame(() => {
    scheduled = false;
    layout();
  });
}
addEventListener("scroll", schedule, { passive: true });
addEventListener("resize", schedule);
new ResizeObserver(schedule).observe(list);

/** Makes the tiles that are in sight, and drops the others. */
function layout() {
  columns = Math.max(1, Math.floor(list.clientWidth / COLUMN));
  const rows = Math.ceil(cards.length / columns);
  list.style.height = `${rows * ROW}px`;
  const top = list.getBoundingClientRect().top;
  const first = Math.max(0, Math.floor(-top / ROW) - SPARE) * columns;
  const last = Math.min(cards.length, (Math.ceil((innerHeight - top) / ROW) + SPARE) * columns);
  const seen = new Set(cards.slice(first, Math.max(first, last)));
  for (const card of tiles.keys()) {
    // What has the focus stays, or the reader would be thrown out of the list.
    if (!seen.has(card) && !tiles.get(card).contains(document.activeElement)) drop(card);
  }
  for (let index = first; index < last; index += 1) place(cards[index], index);
}

function place(card, index) {
  const tile = tiles.get(card) ?? make(card);
  tile.style.insetBlockStart = `${Math.floor(index / columns) * ROW}px`;
  tile.style.insetInlineStart = `${((index % columns) / columns) * 100}%`;
  tile.style.inlineSize = `${100 / columns}%`;
  tile.setAttribute("aria-posinset", String(index + 1));
  tile.setAttribute("aria-setsize", String(cards.length));
}

function make(card) {
  const tile = tileTemplate.content.cloneNode(true).firstElementChild;
  tiles.set(card, tile);
  card.onChange = () => paint(card, tile);
  tile.querySelector("button").addEventListener("click", () => open(card));
  paint(card, tile);
  list.append(tile);
  void preview(card, tile);
  return tile;
}

function drop(card) {
  tiles.get(card)?.remove();
  tiles.delete(card);
  card.onChange = () => {};
}

function paint(card, tile) {
  tile.dataset.state = card.state;
  const button = tile.querySelector("button");
  const label = tile.querySelector(".tile-label bdi");
  const share = tile.querySelector(".tile-share");
  const [best] = card.result?.predictions ?? [];
  const out = card.result?.ood?.isOutlier === true;
  tile.classList.toggle("out", out);
  label.textContent = card.error ? t("grid.failed") : (best?.label ?? "…");
  share.textContent = best && !card.error ? wholePercent(best.probability) : "";
  const words = { name: card.name, label: best?.label ?? "", share: () => wholePercent(best?.probability ?? 0), message: () => (card.error ? problemText(card.error) : "") };
  const verdict = () => t("verdict.out");
  if (card.error) say(button, "grid.problem", words, "aria-label");
  else if (best && card.done) say(button, out ? "card.answer-verdict" : "card.answer", { ...words, verdict }, "aria-label");
  else say(button, "grid.waiting", words, "aria-label");
}

/** Draws a small picture: the browser scales while it decodes, off the page's own thread. */
async function preview(card, tile) {
  let canvas = previews.get(card);
  if (!canvas) {
    let bitmap;
    try {
      bitmap = await createImageBitmap(await upright(card.file), { resizeWidth: THUMB * 2, resizeQuality: "low" });
    } catch {
      return;
    }
    canvas = document.createElement("canvas");
    canvas.width = THUMB;
    canvas.height = THUMB;
    const side = Math.min(bitmap.width, bitmap.height);
    const [x, y] = [(bitmap.width - side) / 2, (bitmap.height - side) / 2];
    canvas.getContext("2d").drawImage(bitmap, x, y, side, side, 0, 0, THUMB, THUMB);
    bitmap.close();
    previews.set(card, canvas);
  }
  tile.querySelector(".tile-picture").replaceChildren(canvas);
}

list.addEventListener("keydown", (event) => {
  const index = cards.findIndex((card) => tiles.get(card)?.contains(event.target));
  const rtl = getComputedStyle(list).direction === "rtl" ? -1 : 1;
  const step = { ArrowRight: rtl, ArrowLeft: -rtl, ArrowDown: columns, ArrowUp: -columns }[event.key];
  const to = event.key === "Home" ? 0 : event.key === "End" ? cards.length - 1 : index + step;
  if (index < 0 || !(to >= 0 && to < cards.length)) return;
  event.preventDefault();
  focusTile(cards[to]);
});
