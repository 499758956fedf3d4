import { announce } from "../ui/announce.js";
import { accuracyText, calibrationText, fits, summaryOf, temperatureText, twoDecimals } from "../ui/assessed.js";
import { confusionCsv, MOST_IN_TABLE, showConfusion } from "../ui/confusion.js";
import { download } from "../ui/download.js";
import { chosen, dropped } from "../ui/folders.js";
import { onLanguage, setMessage, setText, t } from "../ui/i18n.js";
import { fitting, labelled } from "../ui/labelled.js";
import { showProblem } from "../ui/problem.js";
import { drawReliability } from "../ui/reliability.js";
import { Panel } from "./panel.js";

/** Folders and files that are named one by one. */
const MOST_NAMED = 8;

/** How good the answers for labelled photos are, and the temperature that makes percentages honest. */
export class HonestPanel extends Panel {
  #drop = this.#part("drop");
  #working = this.#part("run");
  #stage = this.#part("stage");
  #progress = this.#part("progress");
  #problem = this.#part("error");
  #again = this.#part("again");
  #result = this.#part("result");
  #title = this.#part("accuracy");
  #switch = this.#part("use");
  #copy = this.#part("copy");
  #notice;
  /** The photos that were given. @type {import("../ui/labelled.js").Found[]} */
  #found = [];
  /** What the last measurement found. @type {import("../ui/assessed.js").Measured | null} */
  #measured = null;
  /** The measurement that is going on. @type {AbortController | null} */
  #job = null;
  /** Why the temperature was dropped, as it was told last. */
  #told = null;

  /**
   * @param {HTMLElement} root
   * @param {import("../session.js").Session} session
   * @param {HTMLElement} notice says in every place that percentages are the model's own again
   */
  constructor(root, session, notice) {
    super(root, session);
    this.#notice = notice;
    for (const name of ["folder", "files"]) {
      const chooser = this.#part(name);
      chooser.addEventListener("change", () => {
        const placed = chosen(chooser.files);
        // The same files may be chosen again.
        chooser.value = "";
        void this.#take(placed);
      });
    }
    root.addEventListener("dragover", (event) => event.preventDefault());
    root.addEventListener("drop", (event) => {
      event.preventDefault();
      void this.#take(dropped(event.dataTransfer));
    });
    this.#part("cancel").addEventListener("click", () => this.#job?.abort());
    this.#again.addEventListener("click", () => void this.#measure());
    this.#switch.addEventListener("change", () => {
      session.honesty.use(this.#switch.checked);
      announce(this.#part("state").textContent);
    });
    this.#part("save").addEventListener("click", () => {
      const { found, labels } = this.#measured;
      download("confusion-matrix.csv", new Blob([confusionCsv(found.confusion, labels)], { type: "text/csv" }));
    });
    this.#copy.addEventListener("click", () => void this.#copySummary());
    notice.querySelector("button").addEventListener("click", () => {
      notice.hidden = true;
    });
    this.on("change", () => this.#render());
    onLanguage(() => {
      if (this.#measured) this.#show();
      this.#render();
    });
    this.#render();
  }

  #part(name) {
    return this.find(`honest-${name}`);
  }

  /** @param {import("../ui/folders.js").Placed[] | Promise<import("../ui/folders.js").Placed[]>} placed */
  async #take(placed) {
    if (this.#job || !this.session.usable) return;
    showProblem(this.#problem, null);
    try {
      const found = await labelled(await placed, this.session.calls);
      if (found.length === 0 || this.#job) return;
      this.#found = found;
    } catch (error) {
      return showProblem(this.#problem, error);
    }
    await this.#measure();
  }

  async #measure() {
    const { session } = this;
    showProblem(this.#problem, null);
    const labels = [...session.names];
    const { examples, left, loose } = fitting(this.#found, labels);
    if (examples.length === 0) return showProblem(this.#problem, Object.assign(new Error("No folder is a class."), { key: "honest.none-fits" }));
    const { basis } = session.honesty;
    const { signal } = (this.#job = new AbortController());
    setMessage(this.#stage, "honest.wait");
    this.#progress.removeAttribute("value");
    this.#render();
    this.#part("cancel").focus();
    try {
      const found = await session.calls.assess(examples, { ...session.tune, signal, onProgress: (event) => this.#showStage(event) });
      const unread = found.failures.map(({ index, code }) => ({ name: examples[index].image.name, code }));
      this.#measured = { found, labels, basis, left, loose, unread, model: session.info.model };
      if (fits(found)) session.honesty.offer(found.temperature, basis);
      this.#show();
      announce(this.#title.textContent);
    } catch (error) {
      if (signal.aborted) announce(t("honest.stopped"));
      else showProblem(this.#problem, error);
    } finally {
      const focused = this.#working.contains(document.activeElement);
      this.#job = null;
      this.#render();
      if (focused) (this.#result.hidden || signal.aborted ? this.#again : this.#title).focus();
    }
  }

  #showStage({ stage, loaded, total }) {
    if (stage !== "assess") return;
    setMessage(this.#stage, "honest.stage", { done: Math.min(loaded + 1, total), total });
    this.#progress.max = total;
    this.#progress.value = loaded;
  }

  #show() {
    const { found, labels } = this.#measured;
    setText(this.#title, accuracyText(found));
    this.#showLeftOut();
    const many = labels.length > MOST_IN_TABLE;
    setMessage(this.#part("matrix-title"), many ? "honest.mistakes" : "honest.matrix");
    const [region, list] = [this.#part("matrix"), this.#part("mistakes")];
    showConfusion({ region, table: region.querySelector("table"), list }, found.confusion, labels);
    this.#part("no-mistakes").hidden = !many || !list.hidden;
    drawReliability(this.#part("diagram"), found.reliability);
    setText(this.#part("says"), calibrationText(found));
    setText(this.#part("temperature"), temperatureText(found));
  }

  /** Names what was given and not measured. */
  #showLeftOut() {
    const { left, loose, unread } = this.#measured;
    const folders = [...left].map(([folder, count]) => t("honest.folder", { folder, count }));
    const files = unread.map(({ name, code }) => t("honest.file", { name, code }));
    const said = [
      folders.length > 0 && t("honest.left", { folders: listed(folders) }),
      loose > 0 && t("honest.loose", { count: loose }),
      files.length > 0 && t("honest.unread", { count: files.length, files: listed(files) }),
    ];
    const text = said.filter(Boolean).join(" ");
    setText(this.#part("left"), text);
    this.#part("left").hidden = text === "";
  }

  async #copySummary() {
    try {
      await navigator.clipboard.writeText(summaryOf(this.#measured));
      setMessage(this.#copy, "results.copied");
      announce(t("honest.copied-aloud"));
    } catch {
      setMessage(this.#copy, "results.refused");
      announce(t("honest.refused-aloud"));
    }
    setTimeout(() => setMessage(this.#copy, "honest.copy"), 2000);
  }

  #render() {
    const { usable, honesty } = this.session;
    const measured = this.#measured;
    const holds = measured !== null && honesty.holds(measured.basis);
    // Edits that were taken back make the temperature fit again.
    if (holds && honesty.fitted === null && fits(measured.found)) honesty.offer(measured.found.temperature, measured.basis);
    const running = this.#job !== null;
    this.#drop.hidden = running;
    for (const name of ["folder", "files"]) this.#part(name).disabled = !usable;
    this.#working.hidden = !running;
    this.#again.hidden = running || this.#found.length === 0;
    this.#again.disabled = !usable;
    this.#result.hidden = measured === null;
    this.#part("stale").hidden = measured === null || holds || running;
    const used = honesty.temperature !== 1;
    this.#part("switch").hidden = honesty.fitted === null;
    this.#switch.checked = used;
    this.root.toggleAttribute("data-on", used);
    setMessage(this.#part("state"), used ? "honest.state-used" : "honest.state-own", { temperature: () => twoDecimals(honesty.temperature) });
    this.#tellDropped(honesty.dropped);
  }

  #tellDropped(changed) {
    if (changed === this.#told) return;
    this.#told = changed;
    this.#notice.hidden = changed === null;
    if (changed) setMessage(this.#notice.querySelector("span"), `honest.dropped-${changed}`);
  }
}

/** Some of them, and how many more there are. */
function listed(all) {
  const named = all.slice(0, MOST_NAMED).join(t("honest.between"));
  return all.length > MOST_NAMED ? t("honest.and-more", { named, more: all.length - MOST_NAMED }) : named;
}
