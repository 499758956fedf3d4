import { assess, confusedPairs, measure } from "./assess.js";
import { blobOf, defined, placesIn, rowsOf, strings } from "./arguments.js";
import { calibrate } from "./calibrate.js";
import { writeClassifier } from "./classifier_file.js";
import { classifyAll } from "./classify_all.js";
import { EngineClient } from "./client.js";
import { PromptLensError, invalid } from "./error.js";
import { live } from "./live.js";
import { Prompt } from "./prompt.js";

/** The label of a photo that shows none of the classes. */
const NO_CLASS = 0xffffffff;
/** The label of a photo that nobody has labelled. */
const NO_LABEL = 0xffff_fffe;

/** A class list with its text features. Make one with {@link PromptLens#classes}. */
export class Classes {
  /** @type {EngineClient} */
  #engine;
  /** @type {number} */
  #id;
  #freed = false;
  /** The sentences, the prompt and the temperature that it was made with. */
  #made;
  /** @type {readonly string[]} the class names, in the order they were given */
  labels;

  /**
   * @param {EngineClient} engine
   * @param {number} id
   * @param {string[]} labels
   * @param {{templates: string[], prompt: Prompt | null, temperature: number}} made
   */
  constructor(engine, id, labels, made) {
    if (!(engine instanceof EngineClient)) throw invalid("Use lens.classes() to make Classes.");
    this.#engine = engine;
    this.#id = id;
    this.#made = made;
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
   * Answers many photos: workers of their own decode them, and those that are ready are answered
   * together. A photo that cannot be used has its `error` and stops no other.
   *
   * @param {Iterable<any> | AsyncIterable<any>} images taken from the list as the work goes on
   * @param {import("./index.js").ClassifyAllOptions} [options]
   * @returns {AsyncGenerator<import("./index.js").PhotoAnswer>}
   */
  classifyAll(images, options) {
    return classifyAll(this.#engine, this.#set(), images, options);
  }

  /**
   * Answers what a video shows, such as a camera's picture: always the newest frame, one at a time, with
   * probabilities smoothed over time.
   *
   * @param {HTMLVideoElement} video
   * @param {import("./index.js").LiveOptions} [options]
   * @returns {AsyncGenerator<import("./index.js").LiveAnswer>}
   */
  live(video, options) {
    return live((frame, how) => this.classify(frame, how), video, options);
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
   * @param {import("./index.js").CalibrateOptions} [options]
   * @returns {Promise<import("./index.js").Calibration>}
   */
  async calibrate(images, options = {}) {
    return calibrate(this.#engine, this.#set(), images, options);
  }

  /**
   * How good answers on labelled photos are: which classes are mistaken for which, whether percentages say
   * how often answers are right, and the temperature at which they do.
   *
   * @param {Iterable<{image: Blob | ArrayBuffer | ArrayBufferView, label: string}>} examples
   * @param {import("./index.js").AssessOptions} [options]
   * @returns {Promise<import("./index.js").Assessment>}
   */
  async assess(examples, options = {}) {
    this.#set();
    return assess(this, this.#engine, examples, options);
  }

  /**
   * The same of answers that are there already.
   *
   * @param {Iterable<{predictions: import("./index.js").Prediction[], label: string}>} answers
   * @returns {Promise<import("./index.js").Assessment>}
   */
  async assessAnswers(answers) {
    this.#set();
    return { ...(await measure(this.#engine, this.labels, [...answers])), failures: [] };
  }

  /**
   * The pairs of classes that answers leave in doubt, and a file to fill with what tells them apart, for
   * {@link Classes#train} with the recipe fudd.
   *
   * @param {Iterable<{predictions: import("./index.js").Prediction[]}>} answers
   * @param {import("./index.js").ConfusedPairsOptions} [options]
   * @returns {Promise<import("./index.js").ConfusedPairs>}
   */
  async confusedPairs(answers, options = {}) {
    this.#set();
    return confusedPairs(this.#engine, this.labels, [...answers], options);
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
    const { signal, onProgress, recipe, seed, crops, validation, descriptions, negatives, others, unlabelled, start, ...set } = options;
    if (start !== undefined && !(start instanceof Prompt)) throw invalid("`start` must be a Prompt; make one with Prompt.from() or classes.train().");
    const images = [];
    const labels = [];
    const placeOf = placesIn(this.labels);
    for (const { image, label } of examples) {
      labels.push(placeOf(label));
      images.push(blobOf(image));
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
      start: start && new Uint8Array(await start.toBlob().arrayBuffer()),
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

  /**
   * These classes as a classifier file, which {@link PromptLens.open} opens: names, sentences, prompt and
   * model, with settings of rejection and tuning. It holds no photo.
   *
   * @param {import("./index.js").SaveOptions} [options]
   * @returns {Promise<Blob>}
   */
  async toClassifier({ rejection = {}, tuning = {}, address } = {}) {
    const { model: name, modelSha256: sha256, quantization, version } = this.#engine.info;
    const model = { address: address === undefined ? this.#engine.address : address, name, quantization, sha256 };
    return writeClassifier({ labels: [...this.labels], ...this.#made, rejection, tuning, model }, `promptlens ${version}`);
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
