import { NONE, sorted, UNSURE } from "../state/sorting.js";
import { announce } from "../ui/announce.js";
import { download } from "../ui/download.js";
import { copyInto, pickFolder, picksFolders } from "../ui/folder_writer.js";
import { integer } from "../ui/format.js";
import { onLanguage, setMessage, t } from "../ui/i18n.js";
import { problemText, showProblem } from "../ui/problem.js";
import { safeName, UniqueNames } from "../ui/safe_names.js";
import { Work } from "../ui/work.js";
import { zipOf } from "../ui/zip.js";
import { Panel } from "./panel.js";

/** Folders that are listed before saving. */
const MOST_FOLDERS = 12;
/** Photos that are listed after it. */
const MOST_PROBLEMS = 100;
/** Sentences for what a browser says about a file that could not be written. */
const PROBLEMS = { QuotaExceededError: "sorted.no-room", NotAllowedError: "sorted.not-allowed", NotReadableError: "sorted.unread", NotFoundError: "sorted.unread" };

/** Saves the photos in folders by their answers: as a zip, or copied into a folder of this computer. */
export class SortedPanel extends Panel {
  #later;
  #work = new Work(this.find("sorted-run"));
  #share = this.find("sorted-share");
  #zip = this.find("sorted-zip");
  #folder = this.find("sorted-folder");
  #note = this.find("sorted-note");
  #error = this.find("sorted-error");
  #problems = this.find("sorted-problems");
  #scheduled = false;

  /**
   * @param {HTMLElement} root
   * @param {import("../session.js").Session} session
   * @param {(how: object) => Promise<Set<import("../state/photo.js").Photo>>} later gives the photos that are
   *   nearly the same as an earlier one
   */
  constructor(root, session, later) {
    super(root, session);
    this.#later = later;
    this.#folder.hidden = !picksFolders();
    this.#share.addEventListener("input", () => this.#render());
    this.#zip.addEventListener("click", () => void this.#save(this.#zip, asZip, "sorted.unread"));
    this.#folder.addEventListener("click", () => void this.#copy());
    this.on("change", () => this.#schedule());
    onLanguage(() => this.#render());
    this.#render();
  }

  /** The probability below which an answer is unsure. */
  get #least() {
    const percent = this.#share.valueAsNumber;
    return percent >= 0 && percent <= 100 ? percent / 100 : 0.5;
  }

  /** Every answer is a change: the page draws the sum of them once for each frame. */
  #schedule() {
    if (this.#scheduled) return;
    this.#scheduled = true;
    requestAnimationFrame(() => {
      this.#scheduled = false;
      this.#render();
    });
  }

  #render() {
    const { photos, working, settled, phase, rejection } = this.session;
    const { folders } = sorted(photos, this.#least);
    const rows = [...folders].slice(0, MOST_FOLDERS).map(([folder, { length }]) => row(folderName(folder), length));
    if (folders.size > MOST_FOLDERS) rows.push(row(t("sorted.more", { count: folders.size - MOST_FOLDERS })));
    this.find("sorted-list").replaceChildren(...rows);
    const waits = working || (settled < photos.size && phase !== "stopped");
    const hint = this.find("sorted-hint");
    if (waits) setMessage(hint, "sorted.waits", { settled, photos: photos.size });
    else setMessage(hint, rejection.scores.some(({ isOutlier }) => isOutlier !== null) ? "sorted.hint" : "sorted.hint-open");
    for (const button of [this.#zip, this.#folder]) {
      button.disabled = waits || folders.size === 0;
      // It keeps its place for the focus.
      button.setAttribute("aria-disabled", String(this.#work.running));
    }
  }

  async #copy() {
    if (this.#work.running) return;
    showProblem(this.#error, null);
    try {
      // The browser lets a page ask for a folder only right after a click.
      const folder = await pickFolder();
      if (folder) await this.#save(this.#folder, (...what) => copyInto(folder, ...what), "sorted.unwritten");
    } catch (error) {
      showProblem(this.#error, Object.assign(error, { key: PROBLEMS[error.name] ?? "sorted.not-allowed" }));
    }
  }

  /** @param {string} otherwise says what is wrong with a file if the browser does not */
  async #save(button, write, otherwise) {
    if (this.#work.running) return;
    showProblem(this.#error, null);
    this.#note.hidden = this.#problems.hidden = true;
    const problems = [];
    try {
      const running = this.#work.run(async ({ signal, show }) => {
        const without = this.find("sorted-first").checked ? await this.#later({ signal, show }) : new Set();
        const plan = sorted(this.session.photos, this.#least, without);
        for (const photo of plan.failed) problems.push([photo.name, () => problemText(photo.error)]);
        for (const photo of plan.unanswered) problems.push([photo.name, () => t("sorted.unanswered")]);
        const entries = entriesOf(plan.folders);
        const onProgress = (done) => show("sorted.stage", done, entries.length);
        const onFailed = ({ name }, error) => problems.push([name, () => t(PROBLEMS[error.name] ?? otherwise)]);
        const before = problems.length;
        const done = await write(entries, { signal, onProgress, onFailed });
        return { ...done, count: entries.length - (problems.length - before), folders: plan.folders.size, without: plan.without };
      }, button);
      this.#render();
      const done = await running;
      if (done) this.#report(done, problems);
      else announce(t("sorted.stopped"));
    } catch (error) {
      showProblem(this.#error, error);
    } finally {
      this.#render();
    }
  }

  #report({ count, folders, there, without }, problems) {
    const sentences = [t("sorted.saved", { count }), t("sorted.in-folders", { count: folders })];
    if (there > 0) sentences.push(t("sorted.there", { count: there }));
    if (without > 0) sentences.push(t("sorted.without", { count: without }));
    if (problems.length > 0) sentences.push(t("sorted.left-out", { count: problems.length }));
    this.#note.textContent = sentences.join(" ");
    this.#note.hidden = false;
    this.#problems.hidden = problems.length === 0;
    const rows = problems.slice(0, MOST_PROBLEMS).map(([name, why]) => row(name, why()));
    if (problems.length > MOST_PROBLEMS) rows.push(row(t("sorted.more-photos", { count: problems.length - MOST_PROBLEMS })));
    this.find("sorted-failed").replaceChildren(...rows);
    announce(this.#note.textContent);
  }
}

/** What a reader calls a folder. */
const folderName = (folder) => (folder === NONE ? t("sorted.none") : folder === UNSURE ? t("sorted.unsure") : folder);

/** A line of a list: a name that may be written in any direction, and what is said about it. */
function row(name, said) {
  const item = document.createElement("li");
  const shown = document.createElement("bdi");
  shown.textContent = name;
  item.append(shown);
  if (said !== undefined) {
    const about = document.createElement("span");
    about.textContent = typeof said === "number" ? integer(said) : said;
    item.append(" ", about);
  }
  return item;
}

/** The files with their safe paths. */
function entriesOf(folders) {
  const places = new UniqueNames();
  // A class may be called like one of the two other folders.
  const special = new Map([UNSURE, NONE].map((folder) => [folder, places.of(safeName(folderName(folder), "unsure"))]));
  return [...folders].flatMap(([folder, photos]) => {
    const place = special.get(folder) ?? places.of(safeName(folder, t("sorted.unnamed")));
    const names = new UniqueNames();
    return photos.map(({ file, name }) => {
      const path = `${place}/${names.of(safeName(name, t("sorted.photo")))}`;
      return { path, name, blob: file, modified: file.lastModified };
    });
  });
}

async function asZip(entries, how) {
  download("promptlens-sorted.zip", await zipOf(entries, how));
  return { there: 0 };
}

