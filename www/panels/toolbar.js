/** Above the results: how far the work is, stopping it, and taking the results along. */
import { announce } from "../ui/announce.js";
import { toCsv, toJson } from "../ui/export.js";
import { plain, say, t } from "../ui/i18n.js";

const toolbar = document.getElementById("toolbar");
const text = document.getElementById("run-text");
const button = document.getElementById("run-button");
const saveJson = document.getElementById("save-json");
const saveCsv = document.getElementById("save-csv");
const copyJson = document.getElementById("copy-json");

/** Time that the browser may take to begin a download. */
const DOWNLOAD_MS = 60_000;

let stopped = false;

/** Calls `stop` and `go` as the reader asks, and `collect` for the results to take along. */
export function onToolbar({ stop, go, collect }) {
  button.addEventListener("click", () => (stopped ? go() : stop()));
  const save = (name, type, write) => () => {
    const { entries, settings } = collect();
    download(name, new Blob([write(entries, settings)], { type }));
  };
  saveJson.addEventListener("click", save("promptlens.json", "application/json", toJson));
  saveCsv.addEventListener("click", save("promptlens.csv", "text/csv", toCsv));
  copyJson.addEventListener("click", async () => {
    const { entries, settings } = collect();
    try {
      await navigator.clipboard.writeText(toJson(entries, settings));
      say(copyJson, "results.copied");
      announce(t("results.copied-aloud"));
    } catch {
      say(copyJson, "results.refused");
      announce(t("results.refused-aloud"));
    }
    setTimeout(() => say(copyJson, "results.copy-json"), 2000);
  });
}

/**
 * @param {{photos: number, settled: number, working: boolean, stopped: boolean, results: number}} now
 */
export function showRun(now) {
  ({ stopped } = now);
  toolbar.hidden = now.photos === 0;
  button.hidden = !now.working && !now.stopped;
  say(button, now.stopped ? "results.continue" : "results.stop");
  const { photos, settled } = now;
  if (now.stopped) say(text, "results.halted", { count: photos - settled });
  else if (now.working) say(text, "results.done", { settled, photos });
  else plain(text);
  for (const each of [saveJson, saveCsv, copyJson]) each.disabled = now.results === 0;
}

function download(name, blob) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), DOWNLOAD_MS);
}
