import { nameOf, writeClassifier } from "../pkg/classifier_file.js";
import { readClassifier } from "../pkg/index.js";
import { settingsFor } from "../pkg/classifier.js";
import { sha256Of } from "../pkg/source/sha256.js";
import { workOf } from "../state/sharing.js";
import { announce } from "../ui/announce.js";
import { download } from "../ui/download.js";
import { isolate, megabytes } from "../ui/format.js";
import { known, language, setMessage, setText, t } from "../ui/i18n.js";
import { problemText } from "../ui/problem.js";
import { sharedAddress, wayTo } from "../ui/share.js";
import { contained } from "../ui/text.js";
import { MODEL, webPage } from "../ui/webpage.js";
import { Panel } from "./panel.js";

/** Class names in the title of an exported page. */
const TITLED = 5;

/** The classifier as a file: saving it, opening one and taking that back, and a web page made of it. */
export class SharePanel extends Panel {
  #teach;
  #kept;
  #text = this.find("shared-text");
  #code = this.find("shared-code");
  #buttons = ["yes", "other", "close"].map((name) => this.find(`shared-${name}`));
  #savers = ["share-save", "share-page", "teach-share"].map((id) => document.getElementById(id));
  /** What the buttons of the notice do. @type {((() => void) | null)[]} */
  #does = [];
  /** Stops what is going on. @type {AbortController | null} */
  #job = null;
  #begun;

  /**
   * @param {HTMLElement} root
   * @param {import("../session.js").Session} session
   * @param {object} page
   * @param {import("./teach.js").TeachPanel} page.teach
   * @param {import("../state/kept.js").KeptWork} page.kept
   * @param {Promise<void>} page.begun settled once the page has started: what is opened before waits
   */
  constructor(root, session, { teach, kept, begun }) {
    super(root, session);
    this.#teach = teach;
    this.#kept = kept;
    this.#begun = begun;
    this.#buttons.forEach((button, i) => button.addEventListener("click", () => this.#does[i]?.()));
    const [save, page, taught] = this.#savers;
    save.addEventListener("click", () => void this.#guarded(() => this.#save(session.prompt)));
    taught.addEventListener("click", () => void this.#guarded(() => this.#save(teach.held.prompt)));
    page.addEventListener("click", () => void this.#guarded(() => this.#export()));
    const chooser = document.getElementById("share-file");
    chooser.addEventListener("change", () => {
      const [file] = chooser.files;
      chooser.value = "";
      if (file) this.open(file);
    });
    this.on("change", () => this.#render());
    this.#render();
  }

  #render() {
    for (const button of this.#savers) button.disabled = !this.session.usable;
  }

  // Saving.

  /** The settings with the prompt, which may not answer yet: thresholds and a temperature were not fitted for it then. */
  #settings(prompt, address) {
    const settings = this.session.sharing.settings(address);
    if (prompt === settings.prompt) return settings;
    return { ...settings, prompt, temperature: 1, rejection: { ...settings.rejection, threshold: null, calibration: null } };
  }

  #write(settings) {
    return writeClassifier(settings, `promptlens ${this.session.info.version}`);
  }

  async #save(prompt) {
    const address = sharedAddress(this.session.settings.model);
    const settings = this.#settings(prompt, address);
    const name = nameOf(settings.labels);
    download(name, await this.#write(settings));
    announce([t("share.saved", { name }), ...(address === null ? [t("permalink.without-model")] : [])].join(" "));
  }

  async #export() {
    this.#say("share.packing");
    const settings = this.#settings(this.session.prompt, MODEL);
    const folder = nameOf(settings.labels).replace(/\.promptlens$/, "");
    const title = settings.labels.slice(0, TITLED).map(contained).join(", ") + (settings.labels.length > TITLED ? ", …" : "");
    const classifier = await this.#write(settings);
    const live = document.getElementById("share-live").checked;
    const page = { folder, classifier, title, line: t("page.private"), language: language(), live };
    const zip = await webPage(this.session, page);
    if (zip === null) return this.#say("share.no-files");
    download(`${folder}.zip`, zip);
    this.#say("share.packed", { name: `${folder}.zip`, size: () => megabytes(zip.size) });
  }

  // Opening.

  /** Opens a file that somebody chose, dropped or started the installed app with. @param {File} file */
  open(file) {
    this.#job?.abort();
    void this.#guarded(() => this.#open(file));
  }

  async #open(file) {
    await this.#begun;
    const settings = await readClassifier(file);
    const { session } = this;
    const way = wayTo(settings, session.usable ? session.info : null, session.settings.model);
    if (way.from === "here" || way.from === "own") return this.#use(file, settings, way.choice);
    const model = () => isolate(settings.model.name || t("share.a-model"));
    const anyway = settings.prompt || !session.usable ? null : ["share.here", () => void this.#guarded(() => this.#use(file, settings, null, true))];
    if (way.from === "elsewhere") {
      const load = ["share.load", () => void this.#guarded(() => this.#use(file, settings, way.choice))];
      this.#say("share.ask", { name: () => isolate(file.name), model, address: () => isolate(way.choice.address) }, { yes: load, other: anyway, close: ["share.leave", () => this.#hide()] });
    } else {
      this.#say("share.ask-none", { name: () => isolate(file.name), model }, { other: anyway });
      if (!anyway) setText(this.#code, "prompt/wrong-model");
    }
    (this.#buttons.find((button) => !button.hidden) ?? this.root).focus();
  }

  /** Takes the settings over; the notice then offers what was there before. */
  async #use(file, read, choice, anyModel = false) {
    const { session } = this;
    const { model, quantization } = session.settings;
    const former = { work: session.sharing.work, held: this.#teach.held, choice: choice && { model, address: typeof model === "string" ? model : null, quantization } };
    const settings = anyModel ? settingsFor(read, session.info, true) : read;
    const { prompt } = settings;
    // A page without HTTPS has no such function.
    const sha256 = prompt && globalThis.crypto?.subtle ? await sha256Of(await prompt.toBlob().arrayBuffer()) : null;
    await this.#change(workOf(settings, sha256), choice, (info) => settingsFor(settings, info, anyModel));
    if (prompt) this.#hold(prompt, sha256);
    const undo = () => void this.#guarded(() => this.#undo(former, prompt !== null));
    this.#say("share.opened", { name: () => isolate(file.name), count: settings.labels.length }, { yes: ["share.undo", undo] });
  }

  async #undo({ work, held, choice }, replaced) {
    await this.#change(work, choice, () => {});
    if (replaced) {
      if (held.prompt) this.#hold(held.prompt, held.sha256);
      else {
        this.#teach.drop();
        void this.#kept.dropPrompt();
      }
    }
    this.#say("share.undone");
  }

  /** The prompt is at hand in the page now, and is kept. */
  #hold(prompt, sha256) {
    this.#teach.take(prompt, sha256, false);
    void this.#kept.keepPrompt(prompt, sha256);
  }

  async #change(work, choice, accept) {
    const { signal } = (this.#job = new AbortController());
    if (choice) this.#say("share.loading", { percent: "" }, { close: ["share.cancel", () => this.#job?.abort()] });
    const onProgress = ({ stage, loaded, total }) => {
      if (stage === "weights" && total && !signal.aborted) setMessage(this.#text, "share.loading-share", { percent: () => (loaded / total).toLocaleString(language(), { style: "percent" }) });
    };
    await this.session.sharing.use(work, { choice, accept, signal, onProgress });
  }

  // The notice.

  /** Does `work`; an error is shown and has changed nothing. */
  async #guarded(work) {
    try {
      await work();
    } catch (error) {
      if (error.code === "engine/cancelled") return this.#say("share.cancelled");
      // The sentences of a language for prompt files do not speak of classifiers.
      const key = `error.${(error.code ?? "").replace("prompt/", "classifier/")}`;
      const sentence = () => (known(key) ? t(key) : problemText(error));
      this.#say("share.failed", { message: sentence });
      setText(this.#code, error.code ?? "");
    }
  }

  /**
   * Shows the notice.
   *
   * @param {string} key of its message
   * @param {object} [values]
   * @param {Partial<Record<"yes" | "other" | "close", [string, () => void] | null>>} [buttons] the key of each, and what it does
   */
  #say(key, values = {}, { yes = null, other = null, close = ["share.close", () => this.#hide()] } = {}) {
    const focused = this.root.contains(document.activeElement);
    const buttons = [yes, other, close];
    this.#does = buttons.map((button) => button?.[1] ?? null);
    this.root.hidden = false;
    setMessage(this.#text, key, values);
    setText(this.#code);
    this.#buttons.forEach((element, i) => {
      element.hidden = buttons[i] === null;
      if (buttons[i]) setMessage(element, buttons[i][0]);
    });
    if (focused) this.#buttons.find((button) => !button.hidden)?.focus();
  }

  #hide() {
    const focused = this.root.contains(document.activeElement);
    this.root.hidden = true;
    if (focused) document.getElementById("share-file").focus({ preventScroll: true });
  }
}
