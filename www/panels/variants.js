import { setMessage } from "../ui/i18n.js";
import { Panel } from "./panel.js";

/** Pictures made from photos, and whether photos borrow each other's style: for DiffTPT-lite. */
export class VariantsPanel extends Panel {
  /**
   * @param {HTMLElement} root
   * @param {import("../session.js").Session} session
   * @param {{gallery: boolean}} link
   */
  constructor(root, session, link) {
    super(root, session);
    const { variants } = session;
    const chooser = this.find("variants-files");
    const borrow = this.find("gallery");
    borrow.checked = link.gallery;
    variants.borrows = link.gallery;
    chooser.addEventListener("change", () => {
      const files = [...chooser.files];
      // The same files may be chosen again.
      chooser.value = "";
      const used = variants.add(files, session.photos);
      this.#render();
      if (used) session.useOptions();
    });
    borrow.addEventListener("change", () => {
      variants.borrows = borrow.checked;
      session.useOptions();
    });
    this.find("variants-clear").addEventListener("click", () => {
      variants.clear();
      this.#render();
      chooser.focus();
      session.useOptions();
    });
    this.on("change", () => this.#render());
  }

  #render() {
    const { count, astray } = this.session.variants;
    const state = this.find("variants-state");
    this.find("variants-clear").hidden = count === 0;
    state.hidden = count + astray === 0;
    if (astray > 0) setMessage(state, "variants.astray", { count: astray, kept: count });
    else setMessage(state, "variants.state", { count });
  }
}
