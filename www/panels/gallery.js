/** How the photos are shown: one below the other, or as tiles; in which order; one at a time. */
import { focusTile, onTile, showGrid } from "../ui/grid.js";

/** From so many photos on, tiles are shown unless the reader wants otherwise. */
const MANY = 25;

const list = document.getElementById("cards");
const controls = document.getElementById("arrange");
const view = document.getElementById("view");
const sort = document.getElementById("sort");
const dialog = document.getElementById("details");
const place = document.getElementById("details-card");
const previous = document.getElementById("details-previous");
const next = document.getElementById("details-next");
const close = document.getElementById("details-close");

const best = (card) => card.result?.predictions[0].probability ?? -1;
const value = (card) => card.result?.ood?.value ?? Infinity;

/** The orders, by the value of their option. Every sort is stable, so that equal ones stay put. */
const ORDERS = {
  newest: null,
  name: (a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }),
  surest: (a, b) => best(b) - best(a),
  unsure: (a, b) => best(a) - best(b),
  label: (a, b) => (a.result?.predictions[0].label ?? "").localeCompare(b.result?.predictions[0].label ?? ""),
  misfit: (a, b) => value(a) - value(b),
};

/** Newest first. @type {import("../ui/card.js").Card[]} */
let cards = [];
/** As shown. @type {import("../ui/card.js").Card[]} */
let order = [];
/** The card in the dialog. @type {import("../ui/card.js").Card | null} */
let shown = null;
/** What the reader chose, over what the number of photos suggests. */
let chosen = null;
let scheduled = false;

/** Whether the photos are tiles. */
const tiled = () => (chosen ?? (cards.length >= MANY ? "grid" : "list")) === "grid";

/** Takes photos in, at the front. */
export function addCards(added) {
  cards = [...added, ...cards];
  arrange();
}

/** Takes photos out; the one that stands in its place is returned. */
export function removeCard(card) {
  const index = order.indexOf(card);
  cards = cards.filter((other) => other !== card);
  const neighbour = order[index + 1] ?? order[index - 1] ?? null;
  if (shown === card) {
    if (neighbour) show(neighbour);
    else dialog.close();
  }
  arrange();
  return neighbour;
}

/** Takes all photos out. */
export function clearCards() {
  cards = [];
  if (dialog.open) dialog.close();
  arrange();
}

/** Brings the focus to a photo's remove button, or to its tile. */
export function focusCard(card) {
  if (dialog.open || !tiled()) card.element.querySelector(".remove").focus();
  else focusTile(card);
}

/** Puts the photos in their order again, as soon as the browser draws. */
export function rearrange() {
  if (scheduled || ORDERS[sort.value] === null) return;
  scheduled = true;
  requestAnimationFrame(() => {
    scheduled = false;
    arrange();
  });
}

function arrange() {
  const compare = ORDERS[sort.value];
  order = compare ? [...cards].sort(compare) : cards;
  controls.hidden = cards.length < 2;
  const asTiles = tiled();
  view.value = asTiles ? "grid" : "list";
  list.hidden = asTiles;
  showGrid(asTiles ? order : []);
  if (asTiles) {
    for (const child of [...list.children]) child.remove();
    return;
  }
  order.forEach((card, i) => {
    // Only what stands elsewhere is moved: moving takes the focus away.
    if (card !== shown && list.children[i] !== card.element) list.insertBefore(card.element, list.children[i] ?? null);
  });
}

function show(card) {
  const before = shown;
  shown = card;
  place.replaceChildren(card.element);
  if (before && !tiled()) arrange();
  const index = order.indexOf(card);
  previous.disabled = index <= 0;
  next.disabled = index >= order.length - 1;
  if (!dialog.open) dialog.showModal();
}

onTile(show);
const step = (by) => {
  const card = order[order.indexOf(shown) + by];
  if (card) show(card);
};
previous.addEventListener("click", () => step(-1));
next.addEventListener("click", () => step(1));
close.addEventListener("click", () => dialog.close());
dialog.addEventListener("keydown", (event) => {
  if (event.target instanceof Element && event.target.closest("select, input")) return;
  const rtl = getComputedStyle(dialog).direction === "rtl" ? -1 : 1;
  if (event.key === "ArrowLeft") step(-rtl);
  else if (event.key === "ArrowRight") step(rtl);
});
dialog.addEventListener("close", () => {
  const card = shown;
  shown = null;
  place.replaceChildren();
  arrange();
  if (card && cards.includes(card)) focusCard(card);
});
view.addEventListener("change", () => {
  chosen = view.value;
  arrange();
});
sort.addEventListener("change", arrange);

/** The order that is chosen, for permalinks. */
export const getOrder = () => sort.value;

/** Chooses an order that there is. */
export function setOrder(name) {
  if (!Object.hasOwn(ORDERS, name)) return;
  sort.value = name;
  arrange();
}
