/**
 * What DiffTPT-lite may look at beside a photo: pictures that somebody made from it, and the other
 * photos on the page, whose style it may borrow.
 *
 * A picture goes with the photo whose name its own begins with (`cat.jpg`, `cat-1.png`), or with the
 * photo on the page where there is just one.
 */
import { say } from "../ui/i18n.js";

const chooser = document.getElementById("variants-files");
const clear = document.getElementById("variants-clear");
const state = document.getElementById("variants-state");
const borrow = document.getElementById("gallery");

/** Most photos whose style is borrowed: each is read for every answer. */
const MOST_BORROWED = 8;

/** @type {Map<import("../ui/card.js").Card, File[]>} */
const given = new Map();
/** Pictures of the last choice that go with no photo. */
let astray = 0;

/** The pictures made from this photo, for `classify`. */
export const variantsOf = (card) => [...(given.get(card) ?? [])];

/** The other photos whose style the views of this one borrow, for `classify`. */
export function galleryOf(card, cards) {
  if (!borrow.checked) return [];
  return [...cards].filter((other) => other !== card).slice(0, MOST_BORROWED).map(({ file }) => file);
}

/** What a link and an export say of it. */
export const getBorrowing = () => (borrow.checked ? { gallery: true } : {});

const stem = (name) => name.replace(/\.[^.]*$/, "").toLowerCase();

/** The photo that a picture of this name goes with. */
function home(name, cards) {
  const fits = cards.filter((card) => stem(name).startsWith(stem(card.name)));
  const [longest] = fits.sort((a, b) => stem(b.name).length - stem(a.name).length);
  return longest ?? (cards.length === 1 ? cards[0] : null);
}

function render() {
  const count = [...given.values()].reduce((sum, files) => sum + files.length, 0);
  clear.hidden = count === 0;
  state.hidden = count + astray === 0;
  if (astray > 0) say(state, "variants.astray", { count: astray, kept: count });
  else say(state, "variants.state", { count });
}

/** Forgets the pictures of photos that are gone. @param {Iterable<import("../ui/card.js").Card>} cards */
export function keepVariants(cards) {
  const here = new Set(cards);
  for (const card of given.keys()) if (!here.has(card)) given.delete(card);
  render();
}

/**
 * @param {() => import("../ui/card.js").Card[]} photos those on the page
 * @param {() => void} changed is called when photos have other pictures than before
 */
export function onVariants(photos, changed) {
  chooser.addEventListener("change", () => {
    const cards = photos();
    const files = [...chooser.files];
    // The same files may be chosen again.
    chooser.value = "";
    const homes = files.map((file) => home(file.name, cards));
    astray = homes.filter((card) => !card).length;
    files.forEach((file, i) => homes[i] && given.set(homes[i], [...variantsOf(homes[i]), file]));
    render();
    if (astray < files.length) changed();
  });
  borrow.addEventListener("change", changed);
  clear.addEventListener("click", () => {
    given.clear();
    astray = 0;
    render();
    chooser.focus();
    changed();
  });
}
