import { announce } from "../ui/announce.js";
import { forExport } from "../ui/choices.js";
import { download } from "../ui/download.js";
import { toCsv, toJson } from "../ui/export.js";
import { setMessage, setText, t } from "../ui/i18n.js";
import { Panel } from "./panel.js";

/** Above the results: how far the work is, stopping it, and saving the results. */
export class ToolbarPanel extends Panel {
  #text = this.find("run-text");
  #button = this.find("run-button");
  #saveJson = this.find("save-json");
  #saveCsv = this.find("save-csv");
  #copyJson = this.find("copy-json");

  constructor(root, session) {
    super(root, session);
    this.#button.addEventListener("click", () => {
      if (session.phase === "stopped") return session.go();
      session.stop();
      announce(t("results.halted-aloud"));
    });
    this.#saveJson.addEventListener("click", () => this.#save("promptlens.json", "application/json", toJson));
    this.#saveCsv.addEventListener("click", () => this.#save("promptlens.csv", "text/csv", toCsv));
    this.#copyJson.addEventListener("click", () => void this.#copy());
    this.on("change", () => this.#render());
    this.#render();
  }

  #save(name, type, write) {
    download(name, new Blob([write(this.#entries(), forExport(this.session))], { type }));
  }

  async #copy() {
    try {
      await navigator.clipboard.writeText(toJson(this.#entries(), forExport(this.session)));
      setMessage(this.#copyJson, "results.copied");
      announce(t("results.copied-aloud"));
    } catch {
      setMessage(this.#copyJson, "results.refused");
      announce(t("results.refused-aloud"));
    }
    setTimeout(() => setMessage(this.#copyJson, "results.copy-json"), 2000);
  }

  /** Everything that has been answered or refused. */
  #entries() {
    return [...this.session.photos]
      .filter((photo) => photo.done || photo.error)
      .map(({ name, result, error }) => ({ file: name, result: error ? undefined : result, error }));
  }

  #render() {
    const { photos, settled, working, phase } = this.session;
    const stopped = phase === "stopped";
    this.root.hidden = photos.size === 0;
    this.#button.hidden = !working && !stopped;
    setMessage(this.#button, stopped ? "results.continue" : "results.stop");
    if (stopped) setMessage(this.#text, "results.halted", { count: photos.size - settled });
    else if (working) setMessage(this.#text, "results.done", { settled, photos: photos.size });
    else setText(this.#text);
    const none = ![...photos].some(({ done }) => done);
    for (const each of [this.#saveJson, this.#saveCsv, this.#copyJson]) each.disabled = none;
  }
}
