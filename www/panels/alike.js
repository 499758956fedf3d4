import { groupsOf, laterOnes } from "../state/alike.js";
import { announce } from "../ui/announce.js";
import { cosine } from "../ui/format.js";
import { onLanguage, setMessage, t } from "../ui/i18n.js";
import { localModel } from "../ui/local.js";
import { showProblem } from "../ui/problem.js";
import { Work } from "../ui/work.js";
import { Panel } from "./panel.js";

/** The cosine from which photos are nearly the same by models that were not measured: a guess to start from. */
const NOT_MEASURED = 0.95;

/** Groups the photos that are nearly the same. */
export class AlikePanel extends Panel {
  #features;
  #shown;
  #work = new Work(this.find("alike-run"));
  #threshold = this.find("alike-threshold");
  #start = this.find("alike-start");
  #note = this.find("alike-note");
  #error = this.find("alike-error");

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
    this.#start.addEventListener("click", () => void this.#group());
    this.#threshold.addEventListener("input", () => this.#sayThreshold());
    for (const type of ["model", "cleared", "added", "removed"]) this.on(type, () => this.#stale());
    this.on("model", () => {
      // Cosines of one model say nothing about those of another.
      this.#threshold.value = String(localModel(session.info.modelSha256)?.alike ?? NOT_MEASURED);
      this.#sayThreshold();
    });
    onLanguage(() => this.#sayThreshold());
    this.#sayThreshold();
  }

  #sayThreshold() {
    setMessage(this.find("alike-value"), "alike.value", { value: () => cosine(this.#threshold.valueAsNumber) });
  }

  /** What was said is about other photos. */
  #stale() {
    this.#work.stop();
    this.#note.hidden = true;
  }

  /** The photos that are nearly the same as an earlier one. */
  async later(how) {
    return laterOnes(await this.#groups(how));
  }

  async #groups({ signal, show }) {
    const features = await this.#features.of([...this.session.photos], { signal, onProgress: (...done) => show("find.stage", ...done) });
    return groupsOf(features, this.#threshold.valueAsNumber, { signal, onProgress: (...done) => show("alike.stage", ...done) });
  }

  async #group() {
    showProblem(this.#error, null);
    this.#note.hidden = true;
    try {
      const groups = await this.#work.run((how) => this.#groups(how), this.#start);
      if (groups === null) return announce(t("pile.stopped"));
      this.#note.hidden = false;
      if (groups.length === 0) {
        setMessage(this.#note, "alike.none");
        this.#shown.close();
        return announce(t("alike.none"));
      }
      const later = laterOnes(groups).size;
      setMessage(this.#note, "alike.found", { count: groups.length, later });
      this.#shown.show(["alike.shown", {}], groups.flatMap(itemsOf));
      this.#shown.focus();
    } catch (error) {
      showProblem(this.#error, error);
    }
  }
}

/** The photos of a group with their captions. */
function itemsOf(members, index) {
  const number = index + 1;
  const group = index % 2 === 0 ? "odd" : "even";
  return members.map(({ photo, score }, i) => {
    const mark = () => (i === 0 ? t("alike.first") : cosine(score));
    const spoken = [i === 0 ? "alike.tile-first" : "alike.tile", { name: photo.name, group: number, score: mark }];
    return { photo, caption: { label: () => t("alike.group", { group: number }), mark, spoken, group } };
  });
}
