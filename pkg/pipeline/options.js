/* The options of transformers.js as those of this package. What does not map is refused by name. */
import { invalid } from "../error.js";

/** `device` -> where the model computes. */
const DEVICES = { auto: "auto", gpu: "webgpu", webgpu: "webgpu", cpu: "cpu", wasm: "cpu" };
/** `dtype` -> how the weights are held. */
const DTYPES = { fp32: "none", fp16: "f16", q8: "q8", int8: "q8", uint8: "q8", q4: "q4", q4f16: "q4" };
/** Options about ONNX files or another cache, and the values that ask for nothing. */
const UNUSED = {
  config: [],
  cache_dir: [],
  local_files_only: [false],
  subfolder: ["onnx", ""],
  use_external_data_format: [false],
  model_file_name: [],
  session_options: [],
};
/** Options that only this package has. */
const OWN = ["hub", "patience", "signal", "store", "worker"];

/**
 * @param {Record<string, any>} options
 * @returns {{revision: string, progress: Function | null, resize: "canvas" | "pillow", load: object}}
 */
export function loadOptions({ device, dtype, revision, progress_callback: progress, resize = "canvas", ...others }) {
  const load = {};
  for (const [name, value] of Object.entries(others)) {
    if (OWN.includes(name)) load[name] = value;
    else if (!Object.hasOwn(UNUSED, name)) throw invalid(`There is no option ${JSON.stringify(name)}.`);
    else if (!(value === null || value === undefined || UNUSED[name].includes(value) || isEmpty(value))) {
      throw invalid(`\`${name}\` has no meaning here: no ONNX file is read, and no ONNX session made. Leave it out.`);
    }
  }
  if (progress !== null && progress !== undefined && typeof progress !== "function") throw invalid("`progress_callback` must be a function.");
  if (resize !== "canvas" && resize !== "pillow") throw invalid('`resize` must be "canvas" or "pillow".');
  if (revision !== null && revision !== undefined && typeof revision !== "string") throw invalid("`revision` must be a string.");
  load.device = mapped("device", DEVICES, device);
  load.quantization = mapped("dtype", DTYPES, dtype === "auto" ? undefined : dtype);
  return { revision: revision || "main", progress: progress ?? null, resize, load };
}

/** What `value` of transformers.js is called here; `undefined` if it was left out. */
function mapped(option, table, value) {
  if (value === null || value === undefined) return undefined;
  if (typeof value === "string" && Object.hasOwn(table, value)) return table[value];
  const given = typeof value === "string" ? JSON.stringify(value) : `of type ${typeof value}`;
  throw invalid(`\`${option}\` ${given} is not offered; there are ${Object.keys(table).join(", ")}, for the whole model.`);
}

const isEmpty = (value) => typeof value === "object" && Object.keys(value).length === 0;
