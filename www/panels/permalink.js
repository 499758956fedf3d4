import { announce } from "../ui/announce.js";
import { forLink } from "../ui/choices.js";
import { setMessage, t } from "../ui/i18n.js";
import { addressOf, lacking } from "../ui/permalink.js";
import { Panel } from "./panel.js";

/** The button that copies the address of the settings, and shows it in the browser's own bar. */
export class PermalinkPanel extends Panel {
  constructor(root, session) {
    super(root, session);
    root.addEventListener("click", () => void this.#copy());
  }

  async #copy() {
    const choices = forLink(this.session);
    const address = addressOf(choices);
    const tell = (key) => announce([t(key), ...lacking(choices)].join(" "));
    history.replaceState(null, "", address);
    try {
      await navigator.clipboard.writeText(address);
      setMessage(this.root, "results.copied");
      tell("permalink.copied");
    } catch {
      setMessage(this.root, "permalink.shown");
      tell("permalink.shown-aloud");
    }
    setTimeout(() => setMessage(this.root, "permalink.copy"), 2000);
  }
}
