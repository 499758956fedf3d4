import { cancelled, invalid, PromptLensError } from "./error.js";
import { live } from "./live.js";
import { MAX_BYTES, modelAddress, parseClassifier } from "./classifier_file.js";

/** The scores that compare with negative labels. */
const READERS = ["neglabel", "lapt"];

/**
 * A classifier file at work: its model, its class list, and its settings. Make one with
 * {@link PromptLens.open}.
 */
export class Classifier {
  /** @type {import("./index.js").PromptLens} */
  lens;
  /** @type {import("./index.js").Classes} */
  classes;
  /** @type {import("./index.js").ClassifierSettings} */
  settings;

  constructor(lens, classes, settings) {
    this.lens = lens;
    this.classes = classes;
    this.settings = settings;
  }

  /** The options of {@link Classes#classify} that the file asks for. */
  get options() {
    const { rejection, tuning } = this.settings;
    return { ...tuning, ...rejectionOptions(rejection) };
  }

  /**
   * The answer for one image file, scored, tuned and judged as the classifier file says.
   *
   * @param {Blob | ArrayBuffer | ArrayBufferView} image
   * @param {import("./index.js").ClassifyOptions} [options] go before those of the file
   * @returns {Promise<import("./index.js").Result>}
   */
  async classify(image, options = {}) {
    const result = await this.classes.classify(image, { ...this.options, ...options });
    return { ...result, ood: judge(result.ood, this.settings.rejection.threshold) };
  }

  /**
   * Answers what a video shows, as {@link Classes#live} does, scored, tuned and judged as the file says.
   *
   * @param {HTMLVideoElement} video
   * @param {import("./index.js").LiveOptions} [options] go before those of the file
   * @returns {AsyncGenerator<import("./index.js").LiveAnswer>}
   */
  live(video, options) {
    return live((frame, how) => this.classify(frame, how), video, options);
  }

  /** Ends the worker of the model. */
  free() {
    this.lens.free();
  }
}

/** The options of `classify` about rejection. */
function rejectionOptions({ score, negatives }) {
  return { ood: score ?? false, ...(negatives.own && READERS.includes(score) ? { negatives: negatives.own } : {}) };
}

/** A threshold that a person has set goes before a calibrated one. */
function judge(ood, own) {
  if (!ood || own?.score !== ood.score) return ood;
  return { ...ood, threshold: own.value, isOutlier: ood.value < own.value, stale: null };
}

/**
 * Refuses a model that a classifier was not made with.
 *
 * @param {import("./index.js").ClassifierSettings} settings
 * @param {import("./index.js").Info} info
 * @param {boolean} anyModel whether another one will do, if nothing was learned on it
 * @returns {import("./index.js").ClassifierSettings} as they hold for the model: thresholds and a temperature belong to one
 */
export function settingsFor(settings, { modelSha256 }, anyModel) {
  const { sha256, name } = settings.model;
  if (sha256 === null || sha256 === modelSha256) return settings;
  if (settings.prompt || !anyModel) {
    const way = settings.prompt ? "Load that model" : "Load that model, or allow another one by the option `anyModel`";
    const [wanted, found] = [sha256, modelSha256].map((hash) => `${hash.slice(0, 12)}…`);
    throw new PromptLensError("prompt/wrong-model", `The classifier was made with another model: ${name || "one"} with SHA-256 ${wanted}, not ${found}. ${way}.`);
  }
  return { ...settings, temperature: 1, rejection: { ...settings.rejection, threshold: null, calibration: null } };
}

/**
 * Makes the class list of a classifier.
 *
 * @param {import("./index.js").PromptLens} lens
 * @param {import("./index.js").ClassifierSettings} settings
 * @param {{signal?: AbortSignal, onProgress?: (event: any) => void}} how
 */
export async function classesOf(lens, { labels, templates, prompt, temperature, rejection }, { signal, onProgress } = {}) {
  const classes = await lens.classes(labels, { templates, prompt: prompt ?? undefined, temperature: temperature === 1 ? undefined : temperature, signal });
  try {
    const { calibration, negatives, score } = rejection;
    if (calibration) await classes.useCalibration(calibration.file);
    const edited = negatives.own === null && negatives.struck.length + negatives.added.length > 0;
    if (edited && READERS.includes(score)) await classes.mineNegatives({ struck: negatives.struck, added: negatives.added, signal, onProgress });
    return classes;
  } catch (error) {
    classes.free();
    throw error;
  }
}

/**
 * Reads a classifier file, and the address that its model's one is relative to.
 *
 * @param {Blob | ArrayBuffer | ArrayBufferView | string | URL} source
 * @param {{signal?: AbortSignal}} [how]
 * @returns {Promise<{settings: import("./index.js").ClassifierSettings, base: string | null}>}
 */
export async function readFrom(source, { signal } = {}) {
  if (typeof source === "string" || source instanceof URL) {
    const address = addressOf(source);
    return { settings: parseClassifier(await download(address, signal)), base: address };
  }
  if (!(source instanceof Blob || source instanceof ArrayBuffer || ArrayBuffer.isView(source))) {
    throw invalid("The classifier must be a file, its bytes or its address.");
  }
  const blob = source instanceof Blob ? source : new Blob([source]);
  if (blob.size > MAX_BYTES) throw tooLarge();
  try {
    return { settings: parseClassifier(new Uint8Array(await blob.arrayBuffer())), base: null };
  } catch (error) {
    if (error instanceof PromptLensError) throw error;
    throw new PromptLensError("io/failed", `The file could not be read: ${error.message}`);
  }
}

/**
 * Opens a classifier: reads it, loads the model that it names and makes its class list.
 *
 * @param {any} source
 * @param {import("./index.js").OpenOptions} options
 * @param {typeof import("./index.js").PromptLens.load} load
 */
export async function openClassifier(source, { model, anyModel = false, signal, onProgress, ...options }, load) {
  const { settings, base } = await readFrom(source, { signal });
  const place = model ?? modelAddress(settings.model.address, base);
  if (place === null) throw invalid("The classifier file names no address of its model. Say which model by the option `model`.");
  const form = options.quantization ?? settings.model.quantization ?? undefined;
  const lens = await load({ ...options, model: place, quantization: form, signal, onProgress });
  try {
    const own = settingsFor(settings, lens.info, anyModel);
    return new Classifier(lens, await classesOf(lens, own, { signal, onProgress }), own);
  } catch (error) {
    lens.free();
    throw error;
  }
}

const tooLarge = () => new PromptLensError("prompt/invalid", "This is no usable classifier file: it is larger than 16 MB.");

function addressOf(source) {
  const base = globalThis.document?.baseURI ?? globalThis.location?.href;
  if (!URL.canParse(String(source), base)) throw invalid(`This is no address of a classifier file: ${String(source).slice(0, 100)}`);
  const { protocol, href } = new URL(String(source), base);
  if (!["http:", "https:", "blob:"].includes(protocol)) throw invalid(`A classifier file is loaded from the web, not from ${protocol}`);
  return href;
}

/** The bytes at an address; a larger answer is left before it fills the memory. */
async function download(address, signal) {
  const failed = (what) => new PromptLensError("network/failed", `${address} ${what}.`);
  try {
    const response = await fetch(address, { signal, credentials: "same-origin" });
    if (!response.ok) throw failed(`answered ${response.status}`);
    const parts = [];
    let size = 0;
    for (const reader = response.body.getReader(); ; ) {
      const { done, value } = await reader.read();
      if (done) break;
      size += value.byteLength;
      if (size > MAX_BYTES) {
        void reader.cancel();
        throw tooLarge();
      }
      parts.push(value);
    }
    return new Uint8Array(await new Blob(parts).arrayBuffer());
  } catch (error) {
    if (error instanceof PromptLensError) throw error;
    throw signal?.aborted ? cancelled() : failed(`could not be fetched: ${error.message}`);
  }
}
