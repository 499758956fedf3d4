/** Above the results: how far the work is, stopping it, and taking the results along. */
import { announce } from "./announce.js";
import { toCsv, toJson } from "./export.js";
import { integer } from "./format.js";

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
    const label = copyJson.textContent;
    try {
      await navigator.clipboard.writeText(toJson(entries, settings));
      copyJson.textContent = "Copied";
      announce("The results are in the clipboard.");
    } catch {
      copyJson.textContent = "Not allowed";
      announce("The browser does not let this page use the clipboard. Save the file instead.");
    }
    setTimeout(() => (copyJson.textContent = label), 2000);
  });
}

/**
 * @param {{photos: number, settled: number, working: boolean, stopped: boolean, results: number}} now
 */
export function showRun(now) {
  ({ stopped } = now);
  toolbar.hidden = now.photos === 0;
  button.hidden = !now.working && !now.stopped;
  button.textContent = now.stopped ? "Continue" : "Stop";
  const rest = now.photos - now.settled;
  if (now.stopped) text.textContent = `Stopped, ${integer(rest)} to go`;
  else text.textContent = now.working ? `${integer(now.settled)} of ${integer(now.photos)} done` : "";
  for (const each of [saveJson, saveCsv, copyJson]) each.disabled = now.results === 0;
}

function download(name, blob) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), DOWNLOAD_MS);
}
