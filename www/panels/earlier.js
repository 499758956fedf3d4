import { setMessage, t } from "../ui/i18n.js";
import { BUILT_IN, FORMER, localModel } from "../ui/local.js";
import { Panel } from "./panel.js";

/** What every link that the page makes holds, and few links that people write. */
const EVERY_LINK = ["labels", "template", "tune", "ood", "device", "lang"];

/** Says that a link or a prompt was made with another of this page's own models, and offers that model. */
export class EarlierPanel extends Panel {
  #models;
  /** Runs once the offered model is ready. */
  #then = () => {};
  /** What is offered. @type {import("../ui/local.js").Local | undefined} */
  #offered;

  /**
   * @param {HTMLElement} root
   * @param {import("../session.js").Session} session
   * @param {import("./models.js").ModelsPanel} models
   */
  constructor(root, session, models) {
    super(root, session);
    this.#models = models;
    this.find("earlier-use").addEventListener("click", async () => {
      root.hidden = true;
      if (await this.#models.useLocal(this.#offered)) this.#then();
    });
    this.find("earlier-close").addEventListener("click", () => {
      root.hidden = true;
    });
  }

  /**
   * Offers the model whose hash begins with `sha256`, if it is one of the page's own.
   *
   * @param {string} sha256
   * @param {"link" | "prompt"} what was made with it
   * @param {() => void} [ready] runs once that model answers
   * @returns {boolean} whether it is one of them
   */
  offer(sha256, what, ready = () => {}) {
    this.#offered = localModel(sha256);
    this.root.hidden = !this.#offered;
    if (!this.#offered) return false;
    this.#then = ready;
    const { key } = this.#offered;
    const name = () => t(`models.${key}`);
    setMessage(this.find("earlier-text"), `earlier.${what}`, { name });
    setMessage(this.find("earlier-use"), "earlier.use", { name });
    return true;
  }

  /**
   * Offers the model that a link was made with, if another one answers. Links of the page name the first
   * digits of the weights; those that do not, but hold all else that a link of the page holds, are from
   * before there was a choice.
   *
   * @param {string} search
   */
  checkLink(search) {
    if (!this.session.usable) return;
    const query = new URLSearchParams(search);
    const weights = query.get("weights");
    const model = query.get("model");
    if (weights) {
      if (!this.session.info.modelSha256.startsWith(weights)) this.offer(weights, "link");
    } else if (EVERY_LINK.every((name) => query.has(name)) && ["./models/mini/", BUILT_IN.model].includes(model)) {
      this.offer(FORMER.sha256, "link");
    }
  }
}
