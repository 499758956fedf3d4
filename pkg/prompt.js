import { PromptLensError } from "./error.js";

/** Larger files and headers are none that promptlens wrote. */
const MAX_BYTES = 256 * 1024 * 1024;
const MAX_HEADER_BYTES = 64 * 1024 * 1024;

const unusable = (what) =>
  new PromptLensError("prompt/invalid", `This is no usable prompt file: ${what}. Export it again from promptlens.`);

/**
 * A learned prompt: a small file that belongs to one model. {@link Classes#train} makes one,
 * {@link Prompt.from} reads one back. The engine checks its content again when it is used.
 */
export class Prompt {
  /** @type {Uint8Array} */
  #bytes;
  /** @type {string} the recipe that made it */
  recipe;
  /** @type {readonly string[]} the class names it was taught */
  labels;
  /** @type {string} SHA-256 of its model's source weights */
  modelSha256;
  /** @type {string} the program that wrote it */
  createdBy;
  /** @type {import("./index.js").TrainingReport | null} how it was learned; `null` for one that was read */
  report;

  /**
   * @param {Uint8Array} bytes
   * @param {import("./index.js").TrainingReport | null} [report]
   */
  constructor(bytes, report = null) {
    const metadata = metadataOf(bytes);
    this.#bytes = bytes;
    this.recipe = metadata.recipe;
    this.labels = Object.freeze(metadata.labels);
    this.modelSha256 = metadata.model_sha256;
    this.createdBy = metadata.created_by ?? "";
    this.report = report;
  }

  /**
   * Reads a prompt file.
   *
   * @param {Blob | ArrayBuffer | ArrayBufferView} file
   * @returns {Promise<Prompt>}
   */
  static async from(file) {
    if (!(file instanceof Blob || file instanceof ArrayBuffer || ArrayBuffer.isView(file))) {
      throw unusable("it is neither a file nor its bytes");
    }
    const blob = file instanceof Blob ? file : new Blob([file]);
    if (blob.size > MAX_BYTES) throw unusable("it is larger than 256 MiB");
    let buffer;
    try {
      buffer = await blob.arrayBuffer();
    } catch (error) {
      throw new PromptLensError("io/failed", `The file could not be read: ${error.message}`);
    }
    return new Prompt(new Uint8Array(buffer));
  }

  /** The file, as the command line's `--prompt` reads it. */
  toBlob() {
    return new Blob([this.#bytes], { type: "application/octet-stream" });
  }
}

/** What a safetensors file says about itself. */
function metadataOf(bytes) {
  if (bytes.byteLength < 8) throw unusable("it is too short");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getBigUint64(0, true);
  if (length > MAX_HEADER_BYTES || Number(length) > bytes.byteLength - 8) throw unusable("its header is cut off");
  let metadata;
  let labels;
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(8, 8 + Number(length)));
    metadata = JSON.parse(text).__metadata__;
    labels = JSON.parse(metadata.class_names);
  } catch {
    throw unusable("its header cannot be read");
  }
  if (metadata.format !== "promptlens-prompt") throw unusable("its format is another");
  if (!Array.isArray(labels) || labels.some((label) => typeof label !== "string")) {
    throw unusable("its class names are no list");
  }
  return { ...metadata, labels };
}
