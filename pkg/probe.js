/**
 * @typedef {object} GpuProbe
 * @property {boolean} available whether the browser gives an adapter
 * @property {string} [reason] why not, as a clause that follows a colon
 * @property {boolean} [fallback] whether the adapter is a software one
 * @property {string} [vendor] `GPUAdapterInfo.vendor`; may be empty
 * @property {string} [architecture] `GPUAdapterInfo.architecture`; may be empty
 * @property {boolean} [timestampQuery] whether the adapter has `timestamp-query`
 */

/**
 * What WebGPU offers here, found by asking for an adapter: a browser may have `navigator.gpu` and
 * still hand out none, and the name of a browser says nothing about its machine.
 *
 * @returns {Promise<GpuProbe>}
 */
export async function probeGpu() {
  if (!globalThis.isSecureContext) {
    return { available: false, reason: "WebGPU needs a page served over HTTPS or from localhost" };
  }
  const gpu = globalThis.navigator?.gpu;
  if (!gpu) return { available: false, reason: "this browser has no WebGPU" };
  let adapter;
  try {
    adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  } catch (error) {
    return { available: false, reason: `the browser refused an adapter (${error.message})` };
  }
  if (!adapter) {
    return { available: false, reason: "this browser has WebGPU but offers no adapter for it" };
  }
  const info = adapter.info ?? {};
  return {
    available: true,
    fallback: Boolean(info.isFallbackAdapter ?? adapter.isFallbackAdapter),
    vendor: info.vendor ?? "",
    architecture: info.architecture ?? "",
    timestampQuery: adapter.features.has("timestamp-query"),
  };
}
