import { announce } from "../ui/announce.js";
import { Card } from "../ui/card.js";
import { integer, wholePercent } from "../ui/format.js";
import { verdictText } from "../ui/gauge.js";
import { Grid } from "../ui/grid.js";
import { onLanguage, t } from "../ui/i18n.js";
import { problemText } from "../ui/problem.js";
import { Panel } from "./panel.js";

/** From so many photos on, tiles are shown unless the user wants otherwise. */
const MANY = 25;

const best = (photo) => photo.result?.predictions[0].probability ?? -1;
const value = (photo) => photo.result?.ood?.value ?? Infinity;

/** The orders, by the value of their option. Every sort is stable, so that equal ones stay put. */
const ORDERS = {
  newest: null,
  name: (a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }),
  surest: (a, b) => best(b) - best(a),
  unsure: (a, b) => best(a) - best(b),
  label: (a, b) => (a.result?.predictions[0].label ?? "").localeCompare(b.result?.predictions[0].label ?? ""),
  misfit: (a, b) => value(a) - value(b),
};

/** The photos with their answers: one below the other, or as tiles; in which order; one at a time. */
export class GalleryPanel extends Panel {
  #list = this.find("cards");
  #count = this.find("results-count");
  #view = this.find("view");
  #sort = this.find("sort");
  #grid = new Grid(this.find("grid"), (photo) => this.#show(photo));
  #dialog;
  #alike;
  /** @type {Map<import("../state/photo.js").Photo, Card>} */
  #cards = new Map();
  /** The newest choice first. @type {import("../state/photo.js").Photo[]} */
  #photos = [];
  /** The photos as shown. @type {import("../state/photo.js").Photo[]} */
  #order = [];
  /** The photo in the dialog. @type {import("../state/photo.js").Photo | null} */
  #shown = null;
  /** What the user chose, over what the number of photos suggests. */
  #chosen = null;
  #scheduled = false;

  /**
   * @param {HTMLElement} root
   * @param {import("../session.js").Session} session
   * @param {{sort: string | null}} link
   * @param {HTMLDialogElement} dialog shows one photo
   * @param {(photo: import("../state/photo.js").Photo) => void} alike finds photos like this one
   */
  constructor(root, session, link, dialog, alike) {
    super(root, session);
    this.#dialog = dialog;
    this.#alike = alike;
    if (Object.hasOwn(ORDERS, link.sort ?? "")) this.#sort.value = session.order = link.sort;
    this.find("clear").addEventListener("click", () => session.clear());
    this.#view.addEventListener("change", () => {
      this.#chosen = this.#view.value;
      this.#arrange();
    });
    this.#sort.addEventListener("change", () => {
      session.order = this.#sort.value;
      this.#arrange();
    });
    this.#listenToDialog();
    this.on("added", (photos) => this.#add(photos));
    this.on("removed", (photo) => this.#remove(photo));
    this.on("cleared", () => this.#clear());
    this.on("change", () => this.#render());
    this.on("answered", (photo) => this.#announceAnswer(photo));
    this.on("failed", ({ name, error }) => announce(t("card.problem", { name, message: problemText(error) })));
    for (const type of ["answered", "failed"]) this.on(type, () => this.#rearrange());
    onLanguage(() => {
      for (const card of this.#cards.values()) card.reword();
      this.#grid.reword();
      this.#render();
    });
  }

  #listenToDialog() {
    const dialog = this.#dialog;
    const step = (by) => {
      const photo = this.#order[this.#order.indexOf(this.#shown) + by];
      if (photo) this.#show(photo);
    };
    this.#inDialog("previous").addEventListener("click", () => step(-1));
    this.#inDialog("next").addEventListener("click", () => step(1));
    this.#inDialog("close").addEventListener("click", () => dialog.close());
    this.#inDialog("alike").addEventListener("click", () => {
      const photo = this.#shown;
      // Once the dialog has given the focus back.
      dialog.addEventListener("close", () => this.#alike(photo), { once: true });
      dialog.close();
    });
    dialog.addEventListener("keydown", (event) => {
      if (event.target instanceof Element && event.target.closest("select, input")) return;
      const rtl = getComputedStyle(dialog).direction === "rtl" ? -1 : 1;
      if (event.key === "ArrowLeft") step(-rtl);
      else if (event.key === "ArrowRight") step(rtl);
    });
    dialog.addEventListener("close", () => {
      const photo = this.#shown;
      this.#shown = null;
      this.#inDialog("card").replaceChildren();
      this.#arrange();
      // Opened elsewhere, the focus goes back to where it was by itself.
      if (photo && this.session.photos.has(photo) && this.root.checkVisibility()) this.#focus(photo);
    });
  }

  /** Shows one photo by itself. @param {import("../state/photo.js").Photo} photo */
  open(photo) {
    this.#show(photo);
  }

  #inDialog(name) {
    return this.#dialog.querySelector(`#details-${name}`);
  }

  #card(photo) {
    return this.#cards.get(photo);
  }

  /** Whether the photos are tiles. */
  get #tiled() {
    return (this.#chosen ?? (this.#cards.size >= MANY ? "grid" : "list")) === "grid";
  }

  #add(photos) {
    const first = this.#cards.size === 0;
    for (const photo of photos) this.#cards.set(photo, new Card(photo, this.session));
    this.#photos = [...photos, ...this.#photos];
    this.#arrange();
    if (!first) return;
    this.#render();
    this.#scrollHere();
  }

  /** The first answers are in sight, wherever their photos were chosen. */
  #scrollHere() {
    if (!this.root.checkVisibility()) return;
    const heading = this.#count.parentElement;
    if (heading.getBoundingClientRect().top < innerHeight * 0.7) return;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    heading.scrollIntoView({ behavior: still ? "instant" : "smooth" });
  }

  #remove(photo) {
    this.#card(photo).remove();
    const index = this.#order.indexOf(photo);
    const neighbor = this.#order[index + 1] ?? this.#order[index - 1] ?? null;
    this.#cards.delete(photo);
    this.#photos = this.#photos.filter((other) => other !== photo);
    if (this.#shown === photo) {
      if (neighbor) this.#show(neighbor);
      else this.#dialog.close();
    }
    this.#arrange();
    if (neighbor) this.#focus(neighbor);
    announce(t("photos.removed", { name: photo.name }));
  }

  #clear() {
    for (const card of this.#cards.values()) card.remove();
    this.#cards.clear();
    this.#photos = [];
    if (this.#dialog.open) this.#dialog.close();
    this.#arrange();
    announce(t("photos.cleared"));
  }

  #render() {
    const { size } = this.session.photos;
    this.find("empty").hidden = size > 0;
    this.find("clear").hidden = size === 0;
    this.#count.textContent = size ? integer(size) : "";
  }

  #announceAnswer({ name, result: { predictions: [best], ood } }) {
    const words = { name, label: best.label, share: wholePercent(best.probability) };
    if (ood?.isOutlier === true) announce(t("card.answer-verdict", { ...words, verdict: verdictText(ood) }));
    else announce(t("card.answer", words));
  }

  /** Brings the focus to a photo's remove button, or to its tile. */
  #focus(photo) {
    if (this.#dialog.open || !this.#tiled) this.#card(photo).element.querySelector(".remove").focus();
    else this.#grid.focus(photo);
  }

  /** Puts the photos in their order again, as soon as the browser draws. */
  #rearrange() {
    if (this.#scheduled || ORDERS[this.#sort.value] === null) return;
    this.#scheduled = true;
    requestAnimationFrame(() => {
      this.#scheduled = false;
      this.#arrange();
    });
  }

  #arrange() {
    const compare = ORDERS[this.#sort.value];
    this.#order = compare ? [...this.#photos].sort(compare) : this.#photos;
    this.find("arrange").hidden = this.#photos.length < 2;
    const tiled = this.#tiled;
    this.#view.value = tiled ? "grid" : "list";
    this.#list.hidden = tiled;
    this.#grid.show(tiled ? this.#order : []);
    if (tiled) {
      for (const child of [...this.#list.children]) child.remove();
      return;
    }
    this.#order.forEach((photo, i) => {
      const { element } = this.#card(photo);
      // Only what is elsewhere is moved: moving takes the focus away.
      if (photo !== this.#shown && this.#list.children[i] !== element) this.#list.insertBefore(element, this.#list.children[i] ?? null);
    });
  }

  /** Shows one photo with its answer, in a dialog. @param {import("../state/photo.js").Photo} photo */
  open(photo) {
    this.#show(photo);
  }

  #show(photo) {
    const before = this.#shown;
    this.#shown = photo;
    this.#inDialog("card").replaceChildren(this.#card(photo).element);
    if (before && !this.#tiled) this.#arrange();
    const index = this.#order.indexOf(photo);
    this.#inDialog("alike").hidden = this.#order.length < 2;
    this.#inDialog("previous").disabled = index <= 0;
    this.#inDialog("next").disabled = index >= this.#order.length - 1;
    if (!this.#dialog.open) this.#dialog.showModal();
  }
}
