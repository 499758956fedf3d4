import { announce } from "../ui/announce.js";
import { onLanguage, t } from "../ui/i18n.js";
import { ShownPhotos } from "../ui/shown_photos.js";
import { AlikePanel } from "./alike.js";
import { FindPanel } from "./find.js";
import { Panel } from "./panel.js";
import { SortedPanel } from "./sorted.js";

/** A pile of photos: saved in folders, searched, and looked through for near-duplicates. */
export class PilePanel extends Panel {
  #find;
  #title = this.find("pile-title");

  /**
   * @param {HTMLElement} root
   * @param {import("../session.js").Session} session
   * @param {object} parts
   * @param {import("../state/features.js").Features} parts.features
   * @param {import("../state/memory.js").PhotoMemory} parts.memory
   * @param {(photo: import("../state/photo.js").Photo) => void} parts.open shows one photo
   */
  constructor(root, session, { features, memory, open }) {
    super(root, session);
    const shown = new ShownPhotos(this.find("pile-shown"), open);
    const alike = new AlikePanel(this.find("alike"), session, features, shown);
    this.#find = new FindPanel(this.find("find"), session, features, shown);
    new SortedPanel(this.find("sorted"), session, (how) => alike.later(how));
    this.find("pile-close").addEventListener("click", () => this.#title.focus());
    // Below hundreds of tiles it would be far away.
    document.getElementById("to-pile").addEventListener("click", () => this.#title.focus());
    this.on("change", () => this.#render());
    this.on("removed", (photo) => shown.remove(photo));
    for (const type of ["cleared", "model"]) this.on(type, () => shown.close());
    onLanguage(() => shown.reword());

    const forget = this.find("pile-forget");
    const sayKept = () => {
      this.find("pile-kept").hidden = !memory.any;
    };
    memory.addEventListener("change", sayKept);
    forget.addEventListener("click", async () => {
      this.#title.focus();
      await memory.forget();
      announce(t("kept.forgotten"));
    });
    sayKept();
    this.#render();
  }

  /** Shows the photos that are most like this one. @param {import("../state/photo.js").Photo} photo */
  alike(photo) {
    void this.#find.byPhoto(photo);
  }

  #render() {
    this.root.hidden = this.session.photos.size < 2;
  }
}
