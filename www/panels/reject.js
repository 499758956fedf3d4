import { READERS } from "../state/negatives.js";
import { announce } from "../ui/announce.js";
import { staleText } from "../ui/engine.js";
import { percent, score } from "../ui/format.js";
import { Grid } from "../ui/grid.js";
import { drawHistogram, extent } from "../ui/histogram.js";
import { onLanguage, setMessage, setText, t } from "../ui/i18n.js";
import { showProblem } from "../ui/problem.js";
import { stageText } from "../ui/stages.js";
import { Panel } from "./panel.js";
import { ThresholdPanel } from "./threshold.js";

/** The fewest photos that give a threshold which accepts 95 %. */
const FEWEST = 19;
/** Stages that take long enough to be read. */
const SHOWN_STAGES = ["calibrate", "vocabulary", "mining", "negatives"];

/** The score that rejects photos of none of the names, its threshold, and the photos by their scores. */
export class RejectPanel extends Panel {
  #choice = this.find("score");
  #button = this.find("calibrate-page");
  #chooser = this.find("calibrate-files");
  #working = this.find("calibrate-run");
  #stage = this.find("calibrate-stage");
  #progress = this.find("calibrate-progress");
  #problem = this.find("calibrate-error");
  #note = this.find("calibrate-result");
  #threshold;
  #cards;
  #grid;
  /** Whether the panel is in sight. */
  #shown = false;
  /** Whether it ever was. */
  #visited = false;
  /** Whether a calibration is being made. */
  #calibrating = false;

  /**
   * @param {HTMLElement} root
   * @param {import("../session.js").Session} session
   * @param {{ood: string | null}} link
   * @param {object} page
   * @param {HTMLElement} page.cards the answers, which show the scores
   * @param {(photo: import("../state/photo.js").Photo) => void} page.open shows one photo with its answer
   */
  constructor(root, session, { ood }, { cards, open }) {
    super(root, session);
    this.#cards = cards;
    this.#grid = new Grid(this.find("check-photos"), open);
    this.#threshold = new ThresholdPanel(this.find("threshold"), session);
    const known = [...this.#choice.options].some(({ value }) => value !== "" && value === ood);
    if (known || ood === "none") this.#choice.value = known ? ood : "";
    session.rejection.score = this.#choice.value;
    this.#choice.addEventListener("change", () => session.setScore(this.#choice.value));
    this.#button.addEventListener("click", () => {
      if (this.#button.getAttribute("aria-disabled") !== "true") void this.#calibrate(session.files);
    });
    this.#chooser.addEventListener("change", () => {
      const files = [...this.#chooser.files];
      this.#chooser.value = "";
      if (files.length > 0) void this.#calibrate(files);
    });
    this.find("calibrate-cancel").addEventListener("click", () => session.rejection.stopCalibrating());
    this.on("change", () => this.#render());
    this.on("settings", () => {
      const { score: used, calibration } = session.rejection;
      this.#choice.value = used;
      if (calibration) this.#describe(calibration);
      this.#render();
    });
    if (session.rejection.calibration) this.#describe(session.rejection.calibration);
    onLanguage(() => {
      this.#grid.reword();
      this.#render();
    });
    this.#render();
  }

  /** Whether the panel is in sight is told here. */
  show(shown) {
    this.#shown = shown;
    this.#visited ||= shown;
    this.#render();
  }

  /** Chooses a score as the user would. */
  choose(name) {
    this.#choice.value = name;
    this.session.setScore(name);
  }

  async #calibrate(files) {
    this.#calibrating = true;
    showProblem(this.#problem, null);
    setMessage(this.#stage, "reject.wait");
    this.#progress.removeAttribute("value");
    const done = this.session.rejection.calibrate(files, (event) => this.#showStage(event));
    this.#render();
    this.find("calibrate-cancel").focus();
    try {
      const made = await done;
      if (made) this.#describe(made);
      announce(made ? this.#note.textContent : t("reject.stopped"));
    } catch (error) {
      showProblem(this.#problem, error);
    } finally {
      const focused = this.#working.contains(document.activeElement);
      this.#calibrating = false;
      this.#render();
      if (focused) this.#button.focus();
    }
  }

  #showStage(event) {
    if (!SHOWN_STAGES.includes(event.stage)) return;
    setText(this.#stage, stageText(event));
    this.#progress.max = event.total;
    this.#progress.value = event.loaded;
  }

  #render() {
    const { prepared, photos, rejection } = this.session;
    const { score: chosen, scores, calibration } = rejection;
    const off = chosen === "";
    const seen = off ? [] : scores;
    const stale = scores.find((ood) => ood.stale)?.stale ?? null;
    const threshold = scores.find((ood) => ood.threshold !== null)?.threshold ?? null;
    this.#showState(off, stale, threshold);
    this.root.toggleAttribute("data-on", threshold !== null);

    this.find("calibrate").hidden = off || this.#calibrating;
    this.#working.hidden = !this.#calibrating;
    const enough = photos.size >= FEWEST;
    setMessage(this.#button, enough ? "reject.calibrate-count" : "reject.calibrate", { count: photos.size });
    this.#button.setAttribute("aria-disabled", String(!prepared || !enough));
    this.#chooser.disabled = !prepared;
    this.#note.hidden = off || calibration === null || stale !== null;
    const staleNote = this.find("stale");
    staleNote.hidden = off || stale === null;
    staleNote.textContent = stale === null ? "" : staleText(stale);

    drawHistogram(this.find("histogram"), seen, threshold);
    const values = scores.map(({ value }) => value);
    if (threshold !== null) values.push(threshold);
    const [low, high] = values.length ? extent(values) : [0, 1];
    this.#threshold.show(seen, low, high);
    this.#cards.style.setProperty("--low", String(low));
    this.#cards.style.setProperty("--high", String(high));
    // Without a threshold the numbers say little; they are there for those who have looked here.
    const judged = calibration !== null || threshold !== null || stale !== null;
    this.#cards.toggleAttribute("data-scores", !off && (this.#visited || judged));
    this.#cards.toggleAttribute("data-words", READERS.includes(chosen));
    this.#showPhotos(off);
  }

  /** The photos that are scored, the lowest score first; out of sight they would only cost memory. */
  #showPhotos(off) {
    if (!this.#shown) return this.#grid.show([]);
    const scored = off ? [] : [...this.session.photos].filter(({ done, result }) => done && result.ood);
    this.#grid.show(scored.sort((a, b) => a.result.ood.value - b.result.ood.value));
    this.find("check-title").hidden = scored.length === 0;
    // A score that cannot be computed is a matter of this panel; a file that cannot be read is one of Look.
    const unscored = off ? undefined : [...this.session.photos].find(({ error }) => error && !error.code?.startsWith("image/"));
    showProblem(this.find("check-problem"), scored.length > 0 ? null : (unscored?.error ?? null));
    this.find("check-empty").hidden = off || scored.length > 0 || unscored !== undefined;
  }

  #showState(off, stale, threshold) {
    const state = this.find("reject-state");
    if (off) setMessage(state, "reject.state-off");
    else if (stale !== null) setMessage(state, "reject.state-stale");
    else if (threshold !== null) setMessage(state, "reject.state-below", { threshold: () => score(threshold) });
    else setMessage(state, this.session.rejection.calibration ? "reject.state-calibrated" : "reject.state-open");
  }

  #describe({ n, threshold, interval, failures }) {
    setMessage(this.#note, failures.length ? "reject.fitted-without" : "reject.fitted", {
      n,
      threshold: () => score(threshold),
      low: () => percent(interval.low),
      high: () => percent(interval.high),
      failed: failures.length,
    });
  }
}
