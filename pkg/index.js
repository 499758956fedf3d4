import { EngineClient } from "./client.js";
import { PromptLensError, invalid } from "./error.js";
import { Prompt } from "./prompt.js";
import { remove, stored, usage } from "./source/models.js";
import { hubName, readName } from "./source/name.js";
import { rowOf, TABLE } from "./source/table.js";

export { Prompt, PromptLensError };

/** The label of a photo that shows none of the classes. */
const NO_CLASS = 0xffffffff;
/** The label of a photo that nobody has labelled. */
const NO_LABEL = 0xffff_fffe;

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
    return new PromptLens(engine);
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
    return new Classes(this.#engine, id, names);
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
   * The L2-normalized feature of an image file.
   *
   * @param {Blob | ArrayBuffer | ArrayBufferView} image
   * @param {import("./index.js").CallOptions} [options]
   * @returns {Promise<Float32Array>}
   */
  async embedImage(image, { signal } = {}) {
    return this.#engine.call("embedImage", { image: blobOf(image) }, { signal });
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

/** A class list with its text features. Make one with {@link PromptLens#classes}. */
export class Classes {
  /** @type {EngineClient} */
  #engine;
  /** @type {number} */
  #id;
  #freed = false;
  /** @type {readonly string[]} the class names, in the order they were given */
  labels;

  /**
   * @param {EngineClient} engine
   * @param {number} id
   * @param {string[]} labels
   */
  constructor(engine, id, labels) {
    if (!(engine instanceof EngineClient)) throw invalid("Use lens.classes() to make Classes.");
    this.#engine = engine;
    this.#id = id;
    this.labels = Object.freeze(labels);
  }

  /**
   * The probability of each class for one image file, highest first.
   *
   * @param {Blob | ArrayBuffer | ArrayBufferView} image
   * @param {import("./index.js").ClassifyOptions} [options]
   * @returns {Promise<import("./index.js").Result>}
   */
  async classify(image, { signal, onProgress, variants = [], gallery = [], ...options } = {}) {
    const args = { classes: this.#set(), image: blobOf(image), options: defined(options) };
    args.pictures = { variants: Array.from(variants, blobOf), gallery: Array.from(gallery, blobOf) };
    return this.#engine.call("classify", args, { signal, onProgress });
  }

  /**
   * Test-time tuning on views that you made yourself, such as frames of a video: the steps of
   * {@link Classes#classify} after its views are encoded.
   *
   * @param {Iterable<ArrayLike<number>>} features of the views, from {@link PromptLens#embedImage};
   *   the first is the one to answer for
   * @param {import("./index.js").TuneFeaturesOptions} [options]
   * @returns {Promise<import("./index.js").TunedFeatures>}
   */
  async tuneFeatures(features, { signal, onProgress, context, ...options } = {}) {
    const args = { classes: this.#set(), features: rowsOf(features), options: defined({ tune: "tpt", ...defined(options) }) };
    if (context !== undefined) args.context = Float32Array.from(context);
    return this.#engine.call("tuneFeatures", args, { signal, onProgress });
  }

  /**
   * Fits the threshold below which an image is none of the classes, so that 95 % of images like
   * these are accepted. Later calls of {@link Classes#classify} with the same options use it.
   *
   * @param {Iterable<Blob | ArrayBuffer | ArrayBufferView>} images at least 19 that show the classes
   * @param {import("./index.js").ClassifyOptions} [options]
   * @returns {Promise<import("./index.js").Calibration>}
   */
  async calibrate(images, { signal, onProgress, ...options } = {}) {
    const args = { classes: this.#set(), images: Array.from(images, blobOf), options: defined(options) };
    return this.#engine.call("calibrate", args, { signal, onProgress });
  }

  /**
   * Takes a threshold that was kept as {@link Classes#calibrate}'s `file`.
   *
   * @param {string} file
   * @returns {Promise<void>}
   */
  async useCalibration(file) {
    if (typeof file !== "string") throw invalid("`file` must be the text of a calibration.");
    await this.#engine.call("useCalibration", { classes: this.#set(), file });
  }

  /**
   * Mines negative labels for these classes afresh; later answers use them.
   *
   * @param {import("./index.js").NegativesOptions} [options]
   * @returns {Promise<import("./index.js").Negatives>}
   */
  async mineNegatives({ signal, onProgress, ...options } = {}) {
    for (const name of ["struck", "added"]) {
      if (options[name] !== undefined) options[name] = strings(options[name], name);
    }
    const args = { classes: this.#set(), options: defined(options) };
    return this.#engine.call("mineNegatives", args, { signal, onProgress });
  }

  /**
   * Learns a prompt from photos of these classes. It does not change them: make new ones with
   * `lens.classes(names, { prompt })`.
   *
   * @param {Iterable<{image: Blob | ArrayBuffer | ArrayBufferView, label: string}>} examples
   * @param {import("./index.js").TrainOptions} [options] what is not named there is a parameter of the recipe
   * @returns {Promise<Prompt>}
   */
  async train(examples, options = {}) {
    const { signal, onProgress, recipe, seed, crops, validation, descriptions, negatives, others, unlabelled, ...set } = options;
    const images = [];
    const labels = [];
    const places = new Map(this.labels.map((label, place) => [label.normalize(), place]));
    for (const { image, label } of examples) {
      const place = places.get(String(label).normalize());
      if (place === undefined) throw invalid(`No class of the list is called ${JSON.stringify(label)}.`);
      images.push(blobOf(image));
      labels.push(place);
    }
    for (const image of others ?? []) {
      images.push(blobOf(image));
      labels.push(NO_CLASS);
    }
    for (const image of unlabelled ?? []) {
      images.push(blobOf(image));
      labels.push(NO_LABEL);
    }
    const given = defined({
      recipe,
      seed,
      crops,
      validation,
      descriptions: descriptions && JSON.stringify(descriptions),
      negatives: negatives && strings(negatives, "negatives"),
      set: Object.fromEntries(Object.entries(defined(set)).map(([name, value]) => [name, String(value)])),
    });
    const args = { classes: this.#set(), images, labels, options: given };
    const { file, ...report } = await this.#engine.call("train", args, { signal, onProgress });
    // The engine returns bytes as an array of numbers.
    return new Prompt(Uint8Array.from(file), report);
  }

  /**
   * Labels photos by the class names and negative labels, for
   * `train(examples, {recipe: "lapt", others})`: those that probably show a class, the most probable
   * first, and those that probably show none.
   *
   * @param {Iterable<Blob | ArrayBuffer | ArrayBufferView>} images
   * @param {import("./index.js").PseudoLabelOptions} [options]
   * @returns {Promise<import("./index.js").PseudoLabels>}
   */
  async pseudoLabel(images, { signal, onProgress, ...options } = {}) {
    if (options.negatives !== undefined) options.negatives = strings(options.negatives, "negatives");
    const blobs = Array.from(images, blobOf);
    const args = { classes: this.#set(), images: blobs, options: defined(options) };
    const { examples, outliers, surplus, failures } = await this.#engine.call("pseudoLabel", args, { signal, onProgress });
    return {
      examples: examples.map(({ index, label }) => ({ image: blobs[index], label })),
      others: outliers.map((index) => blobs[index]),
      surplus: surplus.map((index) => blobs[index]),
      failures,
    };
  }

  /**
   * The same under its former name.
   *
   * @param {Iterable<Blob | ArrayBuffer | ArrayBufferView>} images
   * @param {import("./index.js").PseudoLabelOptions} [options]
   * @returns {Promise<import("./index.js").PseudoLabels>}
   */
  collect(images, options) {
    return this.pseudoLabel(images, options);
  }

  /** @returns {number} what the engine knows these classes by */
  #set() {
    if (this.#freed) throw new PromptLensError("engine/freed", "These classes were freed. Make new ones.");
    return this.#id;
  }

  /** Releases the text features, after the calls already made. */
  free() {
    if (this.#freed) return;
    this.#freed = true;
    this.#engine.call("freeClasses", { classes: this.#id }).catch(() => {});
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

/** @returns {Blob} */
function blobOf(image) {
  if (image instanceof Blob) return image;
  if (image instanceof ArrayBuffer || ArrayBuffer.isView(image)) return new Blob([image]);
  throw invalid("The image must be a Blob, a File or its bytes.");
}

/** Rows of one length, one after the other. */
function rowsOf(rows) {
  const list = Array.from(rows, (row) => Float32Array.from(row));
  const [first] = list;
  if (!first || list.some(({ length }) => length !== first.length)) throw invalid("Give features of one length, at least one.");
  const all = new Float32Array(list.length * first.length);
  list.forEach((row, i) => all.set(row, i * first.length));
  return all;
}

/** A copy of a list of strings; anything else is refused. */
function strings(list, name) {
  if (!Array.isArray(list) || list.some((item) => typeof item !== "string")) {
    throw invalid(`\`${name}\` must be an array of strings.`);
  }
  return [...list];
}

/** `options` without the keys that were given as `undefined`. */
function defined(options) {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
