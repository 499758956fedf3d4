/** A device in a few words. @param {import("../pkg/index.js").Info["device"]} device */
export function deviceName({ kind, vendor, architecture }) {
  if (kind !== "webgpu") return "CPU";
  const adapter = [vendor, architecture].filter(Boolean).join("/");
  return adapter ? `WebGPU: ${adapter}` : "WebGPU";
}
