import { announce } from "../ui/announce.js";
import { reasonText } from "../ui/engine.js";
import { megabytes } from "../ui/format.js";
import { known, onLanguage, plain, say, t } from "../ui/i18n.js";
import { showProblem } from "../ui/problem.js";

const section = document.getElementById("status");
const text = document.getElementById("status-text");
const detail = document.getElementById("status-detail");
const bar = document.getElementById("status-progress");
const problem = document.getElementById("status-error");
const retry = document.getElementById("retry");
const useCpu = document.getElementById("use-cpu");

function setState(state) {
  section.dataset.state = state;
  section.setAttribute("aria-busy", String(state === "loading"));
  bar.hidden = state !== "loading";
  problem.hidden = state !== "failed";
}

/** Loading has begun. */
export function showLoading() {
  setState("loading");
  say(text, "status.starting");
  plain(detail);
  bar.removeAttribute("value");
}

/** One step of loading: what, how many bytes of how many, and from where. */
export function showProgress({ stage, loaded, total, source }) {
  const step = () => (known(`status.${stage}`) ? t(`status.${stage}`) : stage);
  // Steps that count something else than bytes have small totals.
  const inBytes = loaded > 1024;
  const counted = total ? "status.bytes-of" : "status.bytes";
  say(text, inBytes ? counted : "status.step", { step, loaded: () => megabytes(loaded), total: () => megabytes(total) });
  if (inBytes) say(detail, source === "cache" ? "status.cache" : "status.network");
  else plain(detail);
  if (inBytes && total) {
    bar.max = total;
    bar.value = loaded;
  } else {
    bar.removeAttribute("value");
  }
}

/** A device in a few words. */
export function deviceName({ kind, vendor, architecture }) {
  if (kind !== "webgpu") return "CPU";
  const adapter = [vendor, architecture].filter(Boolean).join("/");
  return adapter ? `WebGPU: ${adapter}` : "WebGPU";
}

/** What is loaded, for another language's words. @type {import("../pkg/index.js").Info | null} */
let shown = null;

/** The model is ready to answer. */
export function showReady(info) {
  setState("ready");
  shown = info;
  const device = deviceName(info.device);
  say(text, "status.ready", { device });
  describe();
  announce(t("status.ready-aloud", { device }));
}

function describe() {
  const { model, quantization, device, selfTest } = shown;
  const notes = [t("status.model", { model, quantization: quantization === "none" ? t("status.float") : quantization })];
  if (selfTest?.passed) notes.push(t("status.passed"));
  if (device.fallback) notes.push(t("status.software"));
  if (device.kind === "cpu") notes.push(t("status.cpu", { reason: reasonText(device.reason) }));
  plain(detail, notes.join(" · "));
}

onLanguage(() => {
  if (section.dataset.state === "ready") describe();
  if (section.dataset.state === "failed") showProblem(document.getElementById("status-error-text"), failure);
});

/** Why there is no model. @type {{code?: string, message: string} | null} */
let failure = null;

/** Loading failed, or the engine stopped. */
export function showFailure(error) {
  setState("failed");
  failure = error;
  say(text, "status.failed");
  plain(detail);
  showProblem(document.getElementById("status-error-text"), error);
  useCpu.hidden = !error.code?.startsWith("gpu/");
  problem.focus();
}

/** Calls `load` with the device to use when the reader asks for another attempt. */
export function onRetry(load) {
  retry.addEventListener("click", () => load());
  useCpu.addEventListener("click", () => load("cpu"));
}
