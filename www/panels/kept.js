import { Prompt } from "../pkg/index.js";
import { sha256Of } from "../pkg/source/sha256.js";
import { announce } from "../ui/announce.js";
import { onLanguage, setMessage, t } from "../ui/i18n.js";
import { Panel } from "./panel.js";

/** What this browser keeps of the work: taking it back, saying what could not be kept, and forgetting it. */
export class KeptPanel extends Panel {
  #kept;
  #memory;
  #teach;
  #offerModel;
  #text = this.find("kept-text");
  #line = document.getElementById("kept-line");
  #what = document.getElementById("kept-what");
  #forget = document.getElementById("kept-forget");
  /** What is said, as keys of messages. @type {Set<string>} */
  #said = new Set();
  /** Whether an answer has shown that the engine takes what was kept. */
  #proven = false;
  /** Settled once the kept prompt is taken back, or is not. */
  takenBack = Promise.resolve();

  /**
   * @param {HTMLElement} root
   * @param {import("../session.js").Session} session
   * @param {object} stores
   * @param {import("../state/kept.js").KeptWork} stores.kept
   * @param {import("../state/memory.js").PhotoMemory} stores.memory what was computed for photos
   * @param {import("./teach.js").TeachPanel} teach
   * @param {(sha256: string) => boolean} offerModel offers the model that a prompt was learned on, if the page has it
   */
  constructor(root, session, { kept, memory }, teach, offerModel) {
    super(root, session);
    this.#kept = kept;
    this.#memory = memory;
    this.#teach = teach;
    this.#offerModel = offerModel;
    this.find("kept-close").addEventListener("click", () => {
      this.#said.clear();
      this.#render();
    });
    this.#forget.addEventListener("click", () => void this.#forgetAll());
    if (kept.damaged) this.#say("kept.damaged");
    kept.addEventListener("change", () => {
      if (kept.problem) this.#say(`kept.no-${kept.problem}`);
      this.#render();
    });
    memory.addEventListener("change", () => this.#render());
    this.on("model", () => {
      this.takenBack = this.#takeBack();
    });
    this.on("classes", () => {
      this.#proven = true;
    });
    this.on("names-problem", (error) => error && this.#leaveOut(error.code ?? ""));
    onLanguage(() => this.#render());
    this.#render();
  }

  #say(key) {
    this.#said.add(key);
    this.#render();
  }

  #render() {
    this.root.hidden = this.#said.size === 0;
    this.#text.textContent = [...this.#said].map((key) => t(key)).join(" ");
    const [work, photos] = [this.#kept.any, this.#memory.any];
    if (photos) setMessage(this.#what, work ? "kept.what-all" : "kept.what-photos");
    else if (work) setMessage(this.#what, "kept.what");
    this.#forget.hidden = !work && !photos;
    this.#line.hidden = !work && !photos && document.activeElement !== this.#line;
  }

  /** Takes back the kept prompt if the model that answers is its own. */
  async #takeBack() {
    const kept = this.#kept;
    try {
      await kept.begun;
      const found = await kept.openPrompt();
      if (found === null) return;
      const { bytes, sha256 } = found;
      if (bytes === null || (await sha256Of(bytes)) !== sha256) return this.#losePrompt();
      const prompt = await Prompt.from(bytes);
      this.#said.delete("kept.other-model");
      if (prompt.modelSha256 !== this.session.info.modelSha256) {
        if (!this.#offerModel(prompt.modelSha256)) this.#say("kept.other-model");
        return;
      }
      const used = kept.promptUsed;
      kept.takePrompt();
      this.#proven = false;
      this.#teach.take(prompt, sha256, used);
    } catch {
      // It cannot be read.
      this.#losePrompt();
    }
  }

  /** Goes on without the kept part that the engine refused. */
  #leaveOut(code) {
    const { session } = this;
    if (this.#proven || !this.#kept.resumed) return;
    if (code.startsWith("calibration/")) {
      session.rejection.restore({ calibration: null, threshold: session.rejection.threshold });
      this.#say("kept.calibration-lost");
      void session.prepare();
    } else if (code.startsWith("prompt/") && session.prompt !== null) {
      this.#teach.drop();
      this.#losePrompt();
    }
  }

  #losePrompt() {
    void this.#kept.dropPrompt();
    this.#say("kept.prompt-lost");
  }

  async #forgetAll() {
    // The button goes, so the focus needs another place.
    setMessage(this.#what, "kept.forgotten");
    this.#line.focus();
    announce(t("kept.forgotten"));
    await Promise.all([this.#kept.forget(), this.#memory.forget()]);
    // Between the two it says what was still kept.
    setMessage(this.#what, "kept.forgotten");
  }
}
