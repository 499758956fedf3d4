/** Who is measured, and how often. */

const MODELS = { "": "none", "-q8": "q8", "-q4": "q4" };

/** @param {string} size @param {string} suffix @param {string} device */
function ours(size, suffix, device) {
  const weights = suffix ? suffix.slice(1) : "f32";
  return {
    name: `promptlens ${device} ${size} ${weights}`,
    by: "promptlens",
    script: "promptlens",
    model: size,
    device,
    weights,
    load: { model: `../models/${size}${suffix}/`, device, quantization: MODELS[suffix] },
    operations: ["image", "text"],
  };
}

/** @param {string} form `` as exporters write the graph, `_fused` with onnxruntime's own operators */
function onnxruntime(device, form) {
  return {
    name: `onnxruntime-web ${device} vit-b-32 f32${form ? " fused" : ""}`,
    by: `onnxruntime-web${form ? ", fused" : ""}`,
    script: "onnxruntime",
    model: "vit-b-32",
    device,
    weights: "f32",
    load: { model: "../models/vit-b-32/", device, form },
    operations: ["image", "text"],
  };
}

/** The same engine with Burn's own GPU operations in place of the kernels. */
const STOCK = { ...ours("vit-b-32", "", "webgpu"), name: "stock Burn webgpu vit-b-32 f32", by: "promptlens on stock Burn", script: "stock" };

export const SUBJECTS = [
  ...["", "-q8", "-q4"].map((suffix) => ours("vit-b-32", suffix, "webgpu")),
  ...["", "-q8", "-q4"].map((suffix) => ours("vit-b-32", suffix, "cpu")),
  ...["", "-q8"].map((suffix) => ours("vit-b-16", suffix, "webgpu")),
  ...["", "-q8"].map((suffix) => ours("vit-b-16", suffix, "cpu")),
  STOCK,
  onnxruntime("wasm", ""),
  onnxruntime("wasm", "_fused"),
  onnxruntime("webgpu", ""),
  onnxruntime("webgpu", "_fused"),
  {
    name: "transformers.js wasm vit-b-32 f32",
    by: "transformers.js",
    script: "transformers",
    model: "vit-b-32",
    device: "wasm",
    weights: "f32",
    load: { model: "vit-b-32", device: "wasm" },
    operations: ["image"],
  },
];

/** Whole classifications of a photo, by step, through the classifier. */
export const PIPELINES = [
  { name: "mini webgpu", model: "mini", device: "webgpu", soak: 200, tune: 2 },
  { name: "mini cpu", model: "mini", device: "cpu", soak: 200, tune: 2 },
  { name: "vit-b-32 q8 webgpu", model: "vit-b-32-q8", device: "webgpu", soak: 0, tune: 0 },
  { name: "vit-b-32 q8 cpu", model: "vit-b-32-q8", device: "cpu", soak: 0, tune: 0 },
];
