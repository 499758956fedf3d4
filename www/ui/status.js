import { announce } from "./announce.js";
import { megabytes } from "./format.js";

const section = document.getElementById("status");
const text = document.getElementById("status-text");
const detail = document.getElementById("status-detail");
const bar = document.getElementById("status-progress");
const problem = document.getElementById("status-error");
const retry = document.getElementById("retry");
const useCpu = document.getElementById("use-cpu");

const STAGES = {
  engine: "Loading the engine",
  configuration: "Loading the model’s description",
  weights: "Loading the model",
  "self-test": "Checking the arithmetic of this device",
};

function setState(state) {
  section.dataset.state = state;
  section.setAttribute("aria-busy", String(state === "loading"));
  bar.hidden = state !== "loading";
  problem.hidden = state !== "failed";
}

/** Loading has begun. */
export function showLoading() {
  setState("loading");
  text.textContent = "Starting the engine…";
  detail.textContent = "";
  bar.removeAttribute("value");
}

/** One step of loading: what, how many bytes of how many, and from where. */
export function showProgress({ stage, loaded, total, source }) {
  const name = STAGES[stage] ?? stage;
  // Steps that count something else than bytes have small totals.
  const inBytes = loaded > 1024;
  const amount = total ? `${megabytes(loaded)} of ${megabytes(total)}` : megabytes(loaded);
  text.textContent = inBytes ? `${name}: ${amount}` : `${name}…`;
  detail.textContent = inBytes ? (source === "cache" ? "From this device" : "From the network") : "";
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

/** The model is ready to answer. */
export function showReady({ model, quantization, device, selfTest }) {
  setState("ready");
  text.textContent = `Ready on ${deviceName(device)}`;
  const notes = [quantization === "none" ? `${model}, 32-bit` : `${model}, ${quantization}`];
  if (selfTest?.passed) notes.push("self-test passed");
  if (device.fallback) notes.push("software adapter, expect it to be slow");
  if (device.kind === "cpu") notes.push(`not on WebGPU: ${device.reason}`);
  detail.textContent = notes.join(" · ");
  announce(`The model is ready on ${deviceName(device)}.`);
}

/** Loading failed, or the engine stopped. */
export function showFailure(error) {
  setState("failed");
  text.textContent = "The model is not available";
  detail.textContent = "";
  document.getElementById("status-error-message").textContent = error.message;
  document.getElementById("status-error-code").textContent = error.code ?? "";
  useCpu.hidden = !error.code?.startsWith("gpu/");
  problem.focus();
}

/** Calls `load` with the device to use when the reader asks for another attempt. */
export function onRetry(load) {
  retry.addEventListener("click", () => load());
  useCpu.addEventListener("click", () => load("cpu"));
}
