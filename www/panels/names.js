import { announce } from "../ui/announce.js";
import { integer } from "../ui/format.js";
import { setMessage, t } from "../ui/i18n.js";
import { namesFromFile, PRESETS } from "../ui/presets.js";
import { problemText, showProblem } from "../ui/problem.js";
import { contained } from "../ui/text.js";
import { tidy } from "../ui/tidy.js";
import { Panel } from "./panel.js";

/** What makes a text more than one plain name. */
const LIST = /[\n\r,\t"[]/;
/** How many repeated names of a file are shown. */
const SHOWN_REPEATED = 5;

/** The class names, as chips or as text, and the sentence around them. */
export class NamesPanel extends Panel {
  #chips = this.find("chips");
  #adder = this.find("names-add");
  #input = this.find("name-input");
  #textField = this.find("names-text");
  #area = this.find("names-area");
  #mode = this.find("names-mode");
  #note = this.find("names-note");
  #template = this.find("template");
  #chipTemplate = document.getElementById("chip-template");
  #onBigger;
  /** Whether the edit comes from the text, which then stays as it is typed. */
  #typing = false;

  /**
   * @param {HTMLElement} root
   * @param {import("../session.js").Session} session
   * @param {{template: string | null}} link
   * @param {() => void} onBigger offers a model that knows more words
   */
  constructor(root, session, { template }, onBigger) {
    super(root, session);
    this.#onBigger = onBigger;
    if (template !== null) this.#template.value = template;
    session.template = this.#template.value;
    this.on("settings", () => {
      this.#template.value = session.template;
      this.#note.hidden = true;
    });
    this.on("names", (added) => {
      this.#render();
      if (added.length > 0) announce(t("names.added", { count: added.length, name: added[0] }));
    });
    this.on("unknown", () => this.#render());
    this.on("names-problem", (error) => this.#showError(error));
    this.#listenToFields();
    this.#listenToLists();
  }

  #listenToFields() {
    const { session } = this;
    this.#input.addEventListener("keydown", (event) => {
      if (event.isComposing) return;
      if (event.key === "Enter" || event.key === ",") {
        event.preventDefault();
        this.#addTyped();
      } else if (event.key === "Backspace" && this.#input.value === "" && session.names.length > 0) {
        this.#removeAt(session.names.length - 1);
      }
    });
    this.#input.addEventListener("blur", () => this.#addTyped());
    // A tab that is reloaded keeps what was typed so far.
    addEventListener("pagehide", () => this.#addTyped());
    this.#input.addEventListener("paste", (event) => {
      const pasted = event.clipboardData.getData("text/plain");
      if (!/[\n,\t]/.test(pasted)) return;
      event.preventDefault();
      void this.#addText(pasted);
    });
    // Each line is a name, whatever is in it: no format that anybody else writes.
    this.#area.addEventListener("input", () => {
      this.#typing = true;
      session.editNames(this.#area.value.split("\n").map(tidy).filter(Boolean));
      this.#typing = false;
    });
    this.#mode.addEventListener("click", () => {
      const toText = this.#textField.hidden;
      this.#textField.hidden = !toText;
      this.#adder.hidden = toText;
      this.#chips.hidden = toText;
      setMessage(this.#mode, toText ? "names.as-list" : "names.as-text");
      this.#render();
      this.focus();
    });
    this.#template.addEventListener("input", () => {
      session.editTemplate(this.#template.value);
      this.find("template-more").hidden = true;
    });
  }

  #listenToLists() {
    const { session } = this;
    this.find("names-clear").addEventListener("click", () => {
      session.editNames([]);
      this.focus();
      announce(t("names.cleared"));
    });
    this.find("names-restore").addEventListener("click", () => {
      session.editNames(session.offeredNames);
      this.focus();
      announce(t("names.restored", { count: session.offeredNames.length }));
    });
    const file = this.find("names-file");
    file.addEventListener("change", async () => {
      const [chosen] = file.files;
      file.value = "";
      if (chosen) await this.#useFile(chosen);
    });
    const preset = this.find("preset");
    preset.addEventListener("change", () => {
      const list = PRESETS[preset.value];
      preset.value = "";
      if (list) this.#replace(list);
    });
  }

  async #useFile(file) {
    try {
      const { labels, repeated } = await namesFromFile(file, (chosen) => this.session.calls.parseLabels(chosen));
      this.#replace(labels);
      if (repeated.length > 0) this.#showRepeated(repeated);
    } catch (error) {
      const own = error.reason && { code: "labels/file", message: t(error.reason, { name: file.name }) };
      this.#showError(own || error);
    }
  }

  /** Takes another list in place of the one there is. */
  #replace(list) {
    this.#showError(null);
    this.#note.hidden = true;
    this.session.editNames(list);
    announce(t("names.added", { count: list.length, name: list[0] }));
  }

  /** Says which names of a file are in the list only once. */
  #showRepeated(groups) {
    const shown = groups.slice(0, SHOWN_REPEATED).map((group) => [...new Set(group)].map(contained).join(" = "));
    const names = shown.join(", ") + (groups.length > SHOWN_REPEATED ? ", …" : "");
    setMessage(this.#note, "names.repeated", { count: groups.length, names });
    this.#note.hidden = false;
    announce(this.#note.textContent);
  }

  /** Shows what is wrong with the names or the sentence, beside the field concerned. */
  #showError(error) {
    const aboutTemplate = error?.code?.startsWith("prompt/");
    showProblem(this.find("names-error"), aboutTemplate ? null : error);
    showProblem(this.find("template-error"), aboutTemplate ? error : null);
    this.#template.setAttribute("aria-invalid", String(Boolean(aboutTemplate)));
    for (const field of [this.#input, this.#area]) field.setAttribute("aria-invalid", String(Boolean(error && !aboutTemplate)));
    if (error) announce(problemText(error));
  }

  /** Brings the focus to the field for names: the text, or the one beside the chips. */
  focus() {
    (this.#textField.hidden ? this.#input : this.#area).focus();
  }

  #addTyped() {
    const typed = this.#input.value;
    this.#input.value = "";
    void this.#addText(typed);
  }

  /** Adds the names in a text. A plain name needs no engine, which may still be loading. */
  async #addText(text) {
    const name = tidy(text);
    if (name === "") return;
    if (!LIST.test(text)) return this.#add([name]);
    try {
      this.#add((await this.session.calls.parseLabels(text)).labels);
    } catch (error) {
      // Nothing that was typed is lost.
      this.#input.value = text;
      this.#showError(error);
    }
  }

  #add(list) {
    for (const name of list) {
      const known = this.session.names.indexOf(name);
      if (known < 0) continue;
      announce(t("names.known", { name }));
      flash(this.#chips.children[known]);
    }
    this.session.addNames(list);
  }

  #removeAt(index) {
    const names = [...this.session.names];
    const [name] = names.splice(index, 1);
    this.session.editNames(names);
    announce(t("names.removed", { name }));
  }

  #render() {
    const { names, offeredNames, unknownNames } = this.session;
    if (!this.#typing) {
      const unknown = new Set(unknownNames);
      this.#chips.replaceChildren(...names.map((name, index) => this.#chip(name, index, unknown.has(name))));
      if (!this.#textField.hidden) this.#area.value = names.join("\n");
    }
    const more = this.session.otherTemplates.length;
    this.find("template-more").hidden = more === 0;
    setMessage(this.find("template-more"), "names.more-sentences", { count: more });
    this.find("names-count").textContent = names.length ? integer(names.length) : "";
    this.find("names-clear").hidden = names.length === 0;
    this.find("names-restore").hidden = offeredNames.length === 0 || offeredNames.join("\n") === names.join("\n");
  }

  #chip(name, index, unknown) {
    const item = this.#chipTemplate.content.cloneNode(true).firstElementChild;
    item.querySelector(".chip-name").textContent = name;
    const button = item.querySelector(".chip-remove");
    setMessage(button, "names.remove", { name }, "aria-label");
    button.addEventListener("click", () => {
      this.#removeAt(index);
      const next = this.#chips.children[Math.min(index, this.session.names.length - 1)];
      (next?.querySelector(".chip-remove") ?? this.#input).focus();
    });
    const mark = item.querySelector(".chip-unknown");
    mark.hidden = !unknown;
    setMessage(mark, "names.unknown", { name }, "aria-label");
    setMessage(mark, "names.unknown", { name }, "title");
    mark.addEventListener("click", () => this.#onBigger());
    return item;
  }
}

/** Draws the eye to a chip that is there already. */
function flash(item) {
  item?.classList.remove("flash");
  void item?.offsetWidth;
  item?.classList.add("flash");
}
