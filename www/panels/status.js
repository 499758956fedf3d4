import { announce } from "../ui/announce.js";
import { deviceName } from "../ui/device.js";
import { reasonText } from "../ui/engine.js";
import { megabytes } from "../ui/format.js";
import { known, onLanguage, setMessage, setText, t } from "../ui/i18n.js";
import { showProblem } from "../ui/problem.js";
import { Panel } from "./panel.js";

/** The line at the top: what is loaded, how far it is, or why there is nothing. */
export class StatusPanel extends Panel {
  #text = this.find("status-text");
  #detail = this.find("status-detail");
  #bar = this.find("status-progress");
  #problem = this.find("status-error");
  #useCpu = this.find("use-cpu");

  constructor(root, session) {
    super(root, session);
    this.on("progress", (event) => this.#showProgress(event));
    this.on("model", () => this.#showReady());
    this.on("phase", () => {
      if (session.phase === "loading") this.#showLoading();
      if (session.phase === "gone") this.#showFailure();
    });
    this.find("retry").addEventListener("click", () => void this.#retry());
    this.#useCpu.addEventListener("click", () => void this.#retry("cpu"));
    onLanguage(() => {
      if (root.dataset.state === "ready") this.#describe();
      if (root.dataset.state === "failed") this.#explain();
    });
  }

  async #retry(device) {
    await this.session.load(device);
    await this.session.prepare();
  }

  #setState(state) {
    this.root.dataset.state = state;
    this.root.setAttribute("aria-busy", String(state === "loading"));
    this.#bar.hidden = state !== "loading";
    this.#problem.hidden = state !== "failed";
  }

  #showLoading() {
    this.#setState("loading");
    setMessage(this.#text, "status.starting");
    setText(this.#detail);
    this.#bar.removeAttribute("value");
  }

  /** One step of loading: its name, how many bytes of how many, and their source. */
  #showProgress({ stage, loaded, total, source }) {
    const step = () => (known(`status.${stage}`) ? t(`status.${stage}`) : stage);
    // Steps that count something else than bytes have small totals.
    const inBytes = loaded > 1024;
    const counted = total ? "status.bytes-of" : "status.bytes";
    setMessage(this.#text, inBytes ? counted : "status.step", { step, loaded: () => megabytes(loaded), total: () => megabytes(total) });
    if (inBytes) setMessage(this.#detail, source === "cache" ? "status.cache" : "status.network");
    else setText(this.#detail);
    if (inBytes && total) {
      this.#bar.max = total;
      this.#bar.value = loaded;
    } else {
      this.#bar.removeAttribute("value");
    }
  }

  #showReady() {
    this.#setState("ready");
    const device = deviceName(this.session.info.device);
    setMessage(this.#text, "status.ready", { device });
    this.#describe();
    announce(t("status.ready-aloud", { device }));
  }

  #describe() {
    const { model, quantization, device, selfTest } = this.session.info;
    const notes = [t("status.model", { model, quantization: quantization === "none" ? t("status.float") : quantization })];
    if (selfTest?.passed) notes.push(t("status.passed"));
    if (device.fallback) notes.push(t("status.software"));
    if (device.kind === "cpu") notes.push(t("status.cpu", { reason: reasonText(device.reason) }));
    setText(this.#detail, notes.join(" · "));
  }

  /** Loading failed, or the engine ended. */
  #showFailure() {
    this.#setState("failed");
    setMessage(this.#text, "status.failed");
    setText(this.#detail);
    this.#explain();
    this.#useCpu.hidden = !this.session.engineError.code?.startsWith("gpu/");
    this.#problem.focus();
  }

  #explain() {
    showProblem(this.find("status-error-text"), this.session.engineError);
  }
}
