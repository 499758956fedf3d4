import { Panel } from "./panel.js";

/**
 * The places of the page, of which one is shown: a list of tabs. The address says which one it is, so that a
 * reload and the browser's Back keep it. The others stay as they are, out of sight.
 */
export class PlacesPanel extends Panel {
  #tabs = [...this.root.querySelectorAll("[role=tab]")];
  /** How far each place was scrolled when it was left. @type {Map<string, number>} */
  #scrolled = new Map();
  #changed;
  /** The name of the place that is shown. */
  current = "look";

  /**
   * @param {HTMLElement} root
   * @param {import("../session.js").Session} session
   * @param {(place: string) => void} changed called after each change of the place
   */
  constructor(root, session, changed) {
    super(root, session);
    this.#changed = changed;
    root.addEventListener("click", (event) => {
      const tab = event.target.closest("[role=tab]");
      // With a key held down, the reader wants the place in another tab of the browser.
      if (!tab || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
      event.preventDefault();
      this.go(nameOf(tab));
    });
    root.addEventListener("keydown", (event) => this.#move(event));
    addEventListener("popstate", () => this.#show(this.#asked()));
    // Photos that were pasted while another place was open are answered in Look; Check scores them too.
    this.on("added", () => this.current === "teach" && this.go("look"));
    this.#show(this.#asked());
  }

  /** The place that the address names; the first for any other address. */
  #asked() {
    const asked = location.hash.slice(1);
    return this.#tabs.map(nameOf).includes(asked) ? asked : nameOf(this.#tabs[0]);
  }

  /** Shows a place, as a step of the browser's history. */
  go(name) {
    if (name === this.current) return;
    this.#scrolled.set(this.current, scrollY);
    history.pushState(null, "", `#${name}`);
    this.#show(name);
    scrollTo({ top: this.#scrolled.get(name) ?? 0, behavior: "instant" });
  }

  #show(name) {
    this.current = name;
    for (const tab of this.#tabs) {
      const shown = nameOf(tab) === name;
      tab.setAttribute("aria-selected", String(shown));
      tab.tabIndex = shown ? 0 : -1;
      document.getElementById(tab.getAttribute("aria-controls")).hidden = !shown;
    }
    this.#changed(name);
  }

  /** Arrows, Home and End lead to another tab, which is shown at once. */
  #move(event) {
    const at = this.#tabs.indexOf(event.target);
    const count = this.#tabs.length;
    const rtl = getComputedStyle(this.root).direction === "rtl" ? -1 : 1;
    const to = { ArrowRight: at + rtl, ArrowLeft: at - rtl, Home: 0, End: count - 1 }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    const tab = this.#tabs[(to + count) % count];
    this.go(nameOf(tab));
    tab.focus();
  }
}

/** The place of a tab: its address within the page. */
const nameOf = (tab) => tab.getAttribute("href").slice(1);
