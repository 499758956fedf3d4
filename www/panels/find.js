import { nearest } from "../state/features.js";
import { announce } from "../ui/announce.js";
import { cosine } from "../ui/format.js";
import { t } from "../ui/i18n.js";
import { showProblem } from "../ui/problem.js";
import { Work } from "../ui/work.js";
import { Panel } from "./panel.js";

/** Searches the photos by words or by an example. */
export class FindPanel extends Panel {
  #features;
  #shown;
  #work = new Work(this.find("find-run"));
  #words = this.find("find-words");
  #example = this.find("find-example");
  #most = this.find("find-most");
  #error = this.find("find-error");
  /** What was found last. @type {{title: [string, object], ranked: {photo: any, score: number}[]} | null} */
  #last = null;

  /**
   * @param {HTMLElement} root
   * @param {import("../session.js").Session} session
   * @param {import("../state/features.js").Features} features
   * @param {import("../ui/shown_photos.js").ShownPhotos} shown
   */
  constructor(root, session, features, shown) {
    super(root, session);
    this.#features = features;
    this.#shown = shown;
    this.find("find-form").addEventListener("submit", (event) => {
      event.preventDefault();
      const words = this.#words.value.trim();
      if (words !== "") void this.#byWords(words);
    });
    this.#example.addEventListener("change", () => {
      const [file] = this.#example.files;
      this.#example.value = "";
      if (file) void this.#byFile(file);
    });
    this.#most.addEventListener("change", () => this.#last && shown.open && this.#show());
    for (const type of ["model", "cleared"]) this.on(type, () => this.#forget());
    this.on("removed", (photo) => {
      if (this.#last) this.#last.ranked = this.#last.ranked.filter((found) => found.photo !== photo);
    });
  }

  #byWords(words) {
    return this.#search(["find.by-words", { words }], this.#words, async (_, signal) => (await this.session.calls.embedText([words], { signal }))[0]);
  }

  #byFile(file) {
    return this.#search(["find.by-photo", { name: file.name }], this.#example, (_, signal) => this.session.calls.embedImage(file, { signal }));
  }

  /** The other photos, those most like `photo` first. @param {import("../state/photo.js").Photo} photo */
  byPhoto(photo) {
    return this.#search(["find.by-photo", { name: photo.name }], this.#words, (features) => {
      const feature = features.get(photo);
      features.delete(photo);
      if (!feature) throw Object.assign(new Error("This photo cannot be read."), { key: "find.unreadable" });
      return feature;
    });
  }

  async #search(title, back, featureOf) {
    showProblem(this.#error, null);
    try {
      const ranked = await this.#work.run(async ({ signal, show }) => {
        const onProgress = (loaded, total) => show("find.stage", loaded, total);
        const features = await this.#features.of([...this.session.photos], { signal, onProgress });
        const wanted = await featureOf(features, signal);
        return nearest(features, wanted);
      }, back);
      if (ranked === null) return announce(t("pile.stopped"));
      this.#last = { title, ranked: ranked.filter(({ photo }) => this.session.photos.has(photo)) };
      this.#show();
      this.#shown.focus();
    } catch (error) {
      showProblem(this.#error, error);
    }
  }

  #show() {
    const { title, ranked } = this.#last;
    const best = ranked.slice(0, Number(this.#most.value));
    const items = best.map(({ photo, score }, i) => {
      const mark = () => cosine(score);
      return { photo, caption: { label: () => photo.name, mark, spoken: ["find.tile", { name: photo.name, place: i + 1, score: mark }] } };
    });
    this.#shown.show(title, items);
  }

  /** Scores of another model, or of photos that are gone, say nothing. */
  #forget() {
    this.#work.stop();
    this.#last = null;
  }
}
