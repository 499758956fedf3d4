import { blobOf, defined, strings } from "./arguments.js";
import { Classes } from "./classes.js";
import { Classifier, openClassifier, readFrom } from "./classifier.js";
import { writeClassifier as write } from "./classifier_file.js";
import { EngineClient } from "./client.js";
import { PromptLensError, invalid } from "./error.js";
import { readPreprocessing } from "./preprocessing.js";
import { Prompt } from "./prompt.js";
import { files, remove, stored, usage } from "./source/models.js";
import { hubName, readName } from "./source/name.js";
import { rowOf, TABLE } from "./source/table.js";

export { Classes, Classifier, Prompt, PromptLensError };

/**
 * Reads a classifier file without loading its model.
 *
 * @param {Blob | ArrayBuffer | ArrayBufferView | string | URL} source
 * @param {import("./index.js").CallOptions} [options]
 * @returns {Promise<import("./index.js").ClassifierSettings>}
 */
export async function readClassifier(source, options) {
  return (await readFrom(source, options)).settings;
}

/**
 * Writes a classifier file.
 *
 * @param {import("./index.js").ClassifierSettings} settings
 * @returns {Promise<Blob>}
 */
export async function writeClassifier(settings) {
  return write(settings);
}

/** A loaded CLIP model in its own worker. Make one with {@link PromptLens.load}. */
export class PromptLens {
  /** @type {EngineClient} */
  #engine;

  /** @param {EngineClient} engine */
  constructor(engine) {
    if (!(engine instanceof EngineClient)) throw invalid("Use PromptLens.load() to make a PromptLens.");
    this.#engine = engine;
  }

  /**
   * The models known by name, and those that this browser keeps.
   *
   * @type {import("./index.js").Models}
   */
  static models = Object.freeze({
    table: TABLE,
    stored,
    files,
    delete: remove,
    usage,
    address: (text) => {
      const name = readName(String(text));
      if (name.kind === "address") return folderAddress(name.address);
      const row = rowOf(name.reference);
      return row ? `hf:${row.repository}` : hubName(name.reference);
    },
    persist: async () => (await navigator.storage?.persist?.()) ?? false,
  });

  /**
   * Starts a worker and loads a model into it.
   *
   * @param {import("./index.js").LoadOptions} options
   * @returns {Promise<PromptLens>}
   */
  static async load({ model, worker, onProgress, signal, ...options } = {}) {
    const place = modelPlace(model);
    if (worker !== undefined && !(worker instanceof Worker)) throw invalid("`worker` must be a Worker that runs this package's worker.js.");
    const engine = new EngineClient(worker);
    try {
      await engine.load({ model: place, options: defined(options) }, { signal, onProgress });
    } catch (error) {
      engine.free();
      throw error;
    }
    // Files of the reader's device have no address that anybody else could load.
    engine.address = typeof place === "string" ? place : (place.repository && `hf:${place.repository}`) || null;
    return new PromptLens(engine);
  }

  /**
   * Opens a classifier file: reads it, loads the model that it names and makes its class list. Relative
   * addresses in it start from its own address.
   *
   * @param {Blob | ArrayBuffer | ArrayBufferView | string | URL} source
   * @param {import("./index.js").OpenOptions} [options]
   * @returns {Promise<Classifier>}
   */
  static async open(source, options = {}) {
    return openClassifier(source, options, (how) => PromptLens.load(how));
  }

  /**
   * What was loaded and where it runs, as of the last finished call.
   *
   * @returns {import("./index.js").Info}
   */
  get info() {
    return this.#engine.info;
  }

  /**
   * Computes the text features of a class list once, for any number of images.
   *
   * @param {string[]} labels class names, as plain text
   * @param {import("./index.js").ClassesOptions} [options]
   * @returns {Promise<Classes>}
   */
  async classes(labels, { signal, prompt, ...options } = {}) {
    const names = strings(labels, "labels");
    if (prompt !== undefined && !(prompt instanceof Prompt)) {
      throw invalid("`prompt` must be a Prompt; make one with Prompt.from() or classes.train().");
    }
    if (options.templates !== undefined) options.templates = strings(options.templates, "templates");
    const discard = (id) => void this.#engine.call("freeClasses", { classes: id }).catch(() => {});
    const args = { labels: names, options: defined(options), prompt: prompt?.toBlob() };
    const id = await this.#engine.call("classes", args, { signal, discard });
    return new Classes(this.#engine, id, names, { templates: options.templates ?? ["a photo of a {}."], prompt: prompt ?? null, temperature: options.temperature ?? 1 });
  }

  /**
   * What {@link Classes#train} can do: every recipe with its paper and its parameters.
   *
   * @returns {Promise<import("./index.js").Recipe[]>}
   */
  async recipes() {
    return this.#engine.call("recipes", {});
  }

  /**
   * The feature of an image file, L2-normalized or as the image tower gives it.
   *
   * @param {Blob | ArrayBuffer | ArrayBufferView} image
   * @param {import("./index.js").EmbedImageOptions} [options]
   * @returns {Promise<Float32Array>}
   */
  async embedImage(image, { signal, normalize = true } = {}) {
    return this.#engine.call("embedImage", { image: blobOf(image), normalize: Boolean(normalize) }, { signal });
  }

  /**
   * How the model prepares an image.
   *
   * @returns {Promise<import("./index.js").Preprocessing>}
   */
  async preprocessing() {
    return readPreprocessing(await this.#engine.call("preprocessing", {}));
  }

  /**
   * The features, as the image tower gives them, of images that are prepared already.
   *
   * @param {Float32Array} pixels [B, 3, S, S] with S = `info.imageSize`, prepared as {@link PromptLens#preprocessing} says
   * @param {import("./index.js").CallOptions} [options]
   * @returns {Promise<Float32Array[]>}
   */
  async embedPixels(pixels, { signal } = {}) {
    if (!(pixels instanceof Float32Array)) throw invalid("`pixels` must be a Float32Array.");
    const all = await this.#engine.call("embedPixels", { pixels }, { signal });
    const { dimension } = this.info;
    return Array.from({ length: all.length / dimension }, (_, i) => all.slice(i * dimension, (i + 1) * dimension));
  }

  /**
   * The L2-normalized features of texts, without a template.
   *
   * @param {string[]} texts
   * @param {import("./index.js").CallOptions} [options]
   * @returns {Promise<Float32Array[]>}
   */
  async embedText(texts, { signal } = {}) {
    return this.#engine.call("embedText", { texts: strings(texts, "texts") }, { signal });
  }

  /**
   * Those of `names` that hold a word which the model never read in training: answers for them are
   * guesses. None if the model does not say which words it has read.
   *
   * @param {string[]} names
   * @returns {Promise<string[]>}
   */
  async unknownNames(names) {
    return this.#engine.call("unknownNames", { names: strings(names, "names") });
  }

  /**
   * Compares every GPU kernel with the same operation on the CPU, on this very adapter: what to run
   * and report if answers look wrong. Takes seconds on a GPU, a minute or more on a software one.
   *
   * @param {import("./index.js").CheckOptions} [options]
   * @returns {Promise<import("./index.js").KernelCheck[]>}
   */
  async checkKernels({ kernel, seed, signal, onProgress } = {}) {
    return this.#engine.call("checkKernels", { kernel, seed }, { signal, onProgress });
  }

  /**
   * The files of a tar, gzipped or not, or of a zip. A file that cannot be read hides no other.
   *
   * @param {Blob} archive
   * @returns {Promise<import("./index.js").Unpacked[]>}
   */
  async unpack(archive) {
    const blob = blobOf(archive);
    const files = await this.#engine.call("unpack", { archive: blob, name: blob.name ?? "the archive" });
    return files.map(({ path, label, bytes, error }) => {
      if (error) return { path, label, error: new PromptLensError(error.code, error.message) };
      return { path, label, file: new File([bytes], path.split("/").at(-1)) };
    });
  }

  /**
   * The class of each file of a folder, by its path, as the command line reads folders and archives: the folder
   * that it is in, or the one a level higher for files that are deeper than most; `null` for those in no
   * folder.
   *
   * @param {string[]} paths with `/` between folders
   * @returns {Promise<(string | null)[]>}
   */
  async classFolders(paths) {
    return this.#engine.call("classFolders", { paths: strings(paths, "paths") });
  }

  /**
   * The class names in a text, CSV or JSON file, or in a text as people type or paste it, read as the
   * command line reads its `--labels`.
   *
   * @param {Blob | string} file the ending of its name marks a CSV
   * @returns {Promise<import("./index.js").LabelList>}
   */
  async parseLabels(file) {
    if (typeof file === "string") return this.#engine.call("parseTypedLabels", { text: file });
    return this.#engine.call("parseLabels", { file: blobOf(file), name: file.name ?? "the file" });
  }

  /** Ends the worker and releases its memory and its GPU buffers. Waiting calls are rejected. */
  free() {
    this.#engine.free();
  }
}

/** What the worker loads a model from: an address, a table entry, a folder's handle, or its files. */
function modelPlace(model) {
  if (typeof model === "string" || model instanceof URL) {
    const name = readName(String(model));
    if (name.kind === "address") return folderAddress(name.address);
    const { repository } = name.reference;
    if (name.kind === "bare") throw invalid(`Write hf:${repository} for the repository of the hub, or ./${repository}/ for the folder beside the page.`);
    return rowOf(name.reference) ?? hubName(name.reference);
  }
  const entry = TABLE.find((known) => known === model || (typeof model?.id === "string" && known.id === model.id));
  if (entry) return entry;
  if (model?.kind === "directory" && typeof model.entries === "function") return model;
  const files = typeof model === "object" && model?.[Symbol.iterator] ? Array.from(model) : [];
  if (files.length > 0 && files.every((file) => file instanceof File)) return files;
  throw invalid("`model` must be the address of a model folder, hf:owner/name, an entry of PromptLens.models.table, a folder's handle, or its files.");
}

/** The absolute address of a model folder, with its final slash. */
function folderAddress(model) {
  let address;
  try {
    address = new URL(model, globalThis.document?.baseURI ?? globalThis.location.href);
  } catch {
    throw invalid(`\`model\` is not an address: ${model}`);
  }
  if (!address.pathname.endsWith("/")) address.pathname += "/";
  return address.href;
}
