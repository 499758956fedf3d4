/** The Reject drawer: which score, its threshold, and the scores seen so far. */
import { announce } from "../ui/announce.js";
import { staleText } from "../ui/engine.js";
import { percent, score } from "../ui/format.js";
import { drawHistogram, extent } from "../ui/histogram.js";
import { onLanguage, plain, say, t } from "../ui/i18n.js";
import { showProblem } from "../ui/problem.js";
import { stageText } from "../ui/stages.js";
import { getNegatives, showNegatives } from "./negatives.js";
import { forget, showThreshold } from "./threshold.js";

const drawer = document.getElementById("reject");
const state = document.getElementById("reject-state");
const choice = document.getElementById("score");
const figure = document.getElementById("histogram");
const area = document.getElementById("calibrate");
const button = document.getElementById("calibrate-page");
const chooser = document.getElementById("calibrate-files");
const working = document.getElementById("calibrate-run");
const stage = document.getElementById("calibrate-stage");
const progress = document.getElementById("calibrate-progress");
const cancel = document.getElementById("calibrate-cancel");
const problem = document.getElementById("calibrate-error");
const note = document.getElementById("calibrate-result");
const staleNote = document.getElementById("stale");
const cards = document.getElementById("cards");

/** The fewest photos that give a threshold which accepts 95 %. */
const FEWEST = 19;

/** The newest threshold. @type {import("../pkg/index.js").Calibration | null} */
let calibration = null;
/** The calibration that is being made. @type {AbortController | null} */
let job = null;
let photos = 0;
let ready = false;
/** @type {import("../pkg/index.js").Ood[]} */
let seen = [];

/** The options of `classify` that this drawer decides. */
export const getScore = () => ({ ood: choice.value || false, ...getNegatives() });

/** The newest threshold, for class lists that are made later. */
export const getCalibration = () => calibration;

/** Settled once no calibration is in the way. */
let done = Promise.resolve();
export const calibrated = () => done;

/**
 * @param {object} page
 * @param {() => File[]} page.files the photos on the page
 * @param {(files: File[], how: object) => Promise<import("../pkg/index.js").Calibration>} page.calibrate
 * @param {() => void} page.changed the score is another
 * @param {(calibration: import("../pkg/index.js").Calibration) => void} page.fitted there is a threshold
 * @param {(error: Error, show: (error: Error) => void) => void} page.report
 */
export function onReject({ files, calibrate, changed, fitted, report }) {
  const run = (list) => {
    done = fit(list);
  };
  const fit = async (list) => {
    job = new AbortController();
    const { signal } = job;
    showProblem(problem, null);
    say(stage, "reject.wait");
    progress.removeAttribute("value");
    render();
    cancel.focus();
    try {
      const made = await calibrate(list, { signal, onProgress: showStage });
      calibration = made;
      forget();
      describe(made);
      note.hidden = false;
      announce(note.textContent);
      fitted(made);
    } catch (error) {
      if (!signal.aborted) report(error, (shown) => showProblem(problem, shown));
      else announce(t("reject.stopped"));
    } finally {
      const focused = working.contains(document.activeElement);
      job = null;
      render();
      if (focused) button.focus();
    }
  };
  button.addEventListener("click", () => {
    if (button.getAttribute("aria-disabled") !== "true") run(files());
  });
  chooser.addEventListener("change", () => {
    const list = [...chooser.files];
    chooser.value = "";
    if (list.length > 0) run(list);
  });
  cancel.addEventListener("click", () => job?.abort());
  choice.addEventListener("change", () => {
    stopCalibrating();
    forget();
    render();
    changed();
  });
}

/** Chooses a score as the reader would. */
export function chooseScore(name) {
  choice.value = name;
  choice.dispatchEvent(new Event("change"));
}

/** Ends a calibration whose settings no longer hold. */
export function stopCalibrating() {
  job?.abort();
}

/** Shows how many photos there are, whether names are ready for them, and their scores. */
export function showScores(list, count, usable) {
  seen = list;
  photos = count;
  ready = usable;
  render();
}

function showStage(event) {
  // The stages of a single photo are too short to be read.
  if (!["calibrate", "vocabulary", "mining", "negatives"].includes(event.stage)) return;
  plain(stage, stageText(event));
  progress.max = event.total;
  progress.value = event.loaded;
}

function render() {
  const off = choice.value === "";
  const stale = seen.find((ood) => ood.stale)?.stale ?? null;
  const threshold = seen.find((ood) => ood.threshold !== null)?.threshold ?? null;
  showState(off, stale, threshold);
  drawer.toggleAttribute("data-on", threshold !== null);

  area.hidden = off || job !== null;
  working.hidden = job === null;
  const enough = ready && photos >= FEWEST;
  say(button, photos >= FEWEST ? "reject.calibrate-count" : "reject.calibrate", { count: photos });
  button.setAttribute("aria-disabled", String(!enough));
  chooser.disabled = !ready;
  note.hidden = off || calibration === null || stale !== null;
  staleNote.hidden = off || stale === null;
  staleNote.textContent = stale === null ? "" : staleText(stale);

  drawHistogram(figure, off ? [] : seen, threshold);
  const values = seen.map(({ value }) => value);
  if (threshold !== null) values.push(threshold);
  const [low, high] = values.length ? extent(values) : [0, 1];
  cards.style.setProperty("--low", String(low));
  cards.style.setProperty("--high", String(high));
  showThreshold(off ? [] : seen, low, high);
  showNegatives(choice.value);
  // Without a threshold the numbers say little; they are there for those who look into this drawer.
  cards.toggleAttribute("data-scores", !off && (drawer.open || calibration !== null || threshold !== null || stale !== null));
  cards.toggleAttribute("data-words", ["neglabel", "lapt"].includes(choice.value));
}

function showState(off, stale, threshold) {
  if (off) say(state, "reject.state-off");
  else if (stale !== null) say(state, "reject.state-stale");
  else if (threshold !== null) say(state, "reject.state-below", { threshold: () => score(threshold) });
  else say(state, calibration ? "reject.state-calibrated" : "reject.state-open");
}

function describe({ n, threshold, interval, failures }) {
  say(note, failures.length ? "reject.fitted-without" : "reject.fitted", {
    n,
    threshold: () => score(threshold),
    low: () => percent(interval.low),
    high: () => percent(interval.high),
    failed: failures.length,
  });
}

drawer.addEventListener("toggle", render);
onLanguage(render);
render();
