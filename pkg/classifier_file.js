/*
 * Classifier files, `NAME.promptlens`: class names, sentences, a learned prompt, the temperature of percentages, how
 * photos are rejected and tuned, and which model all of it was made with. JSON in UTF-8; docs/reference/classifier-format.md
 * specifies it. Never photos.
 *
 * A file comes from anywhere: nothing in it is used before its type and its size are checked.
 */
import { PromptLensError, invalid } from "./error.js";
import { Prompt } from "./prompt.js";
import { wellFormed } from "./text.js";

export const FORMAT = "promptlens-classifier";
export const VERSION = 1;
/** The ending of its name. */
export const ENDING = ".promptlens";
/** Its type, for files that are saved. */
export const TYPE = "application/vnd.promptlens+json";

/** Larger files are refused before they are read. */
export const MAX_BYTES = 16 * 1024 * 1024;
/** The engine's own limits. */
const MAX_LABELS = 10_000;
const MAX_CHARS = 1000;
const MAX_TEMPLATES = 1000;
const MAX_WORDS = 50_000;
const MAX_CALIBRATION = 64 * 1024;
const MAX_ADDRESS = 2048;

/** The engine's own ends. */
const TEMPERATURES = [0.05, 20];

const SCORES = ["mcm", "max-logit", "energy", "entropy", "variance", "gl-mcm", "neglabel", "lapt"];
const METHODS = ["none", "tpt", "difftpt-lite"];
const FORMS = ["q8", "q4", "mixed", "f16", "none"];
const SHA256 = /^[0-9a-f]{64}$/;

const refused = (what, code = "prompt/invalid") =>
  new PromptLensError(code, `This is no usable classifier file: ${what}. Save it again from promptlens.`);

/**
 * Reads the bytes of a classifier file.
 *
 * @param {Uint8Array} bytes
 * @returns {import("./index.js").ClassifierSettings}
 */
export function parseClassifier(bytes) {
  if (bytes.byteLength > MAX_BYTES) throw refused("it is larger than 16 MB");
  let found;
  try {
    found = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw refused("it is damaged, or cut off");
  }
  if (!isObject(found) || found.format !== FORMAT) throw refused("its format is another");
  if (found.version !== VERSION) {
    throw new PromptLensError("prompt/invalid", `This classifier file has version ${shown(found.version)} of its format, and this promptlens reads version ${VERSION}. Use a newer promptlens.`);
  }
  const model = modelOf(part(found, "model"));
  const prompt = promptOf(found.prompt ?? null);
  if (prompt && model.sha256 !== prompt.modelSha256) throw refused("its prompt was learned on another model than it names", "prompt/wrong-model");
  const rejection = rejectionOf(part(found, "rejection"));
  return {
    labels: labelsOf(found.labels),
    templates: templatesOf(found.templates),
    prompt,
    temperature: temperatureOf(found.temperature),
    rejection,
    tuning: tuningOf(part(found, "tuning")),
    model,
  };
}

/**
 * Writes a classifier file. What is left out is the engine's own choice.
 *
 * @param {import("./index.js").ClassifierSettings} settings
 * @param {string} [createdBy]
 * @returns {Promise<Blob>}
 */
export async function writeClassifier({ labels, templates, prompt = null, temperature = 1, rejection = {}, tuning = {}, model = {} }, createdBy = "promptlens") {
  const { score = "mcm", threshold = null, calibration = null, negatives = {} } = rejection;
  const { own = null, struck = [], added = [] } = negatives;
  const { address = null, name = "", quantization = null, sha256 = null } = model;
  const written = {
    format: FORMAT,
    version: VERSION,
    createdBy,
    labels,
    templates: templates ?? ["a photo of a {}."],
    prompt: prompt && toBase64(new Uint8Array(await prompt.toBlob().arrayBuffer())),
    // JSON would have NaN as null, which is read as nothing.
    temperature: temperatureOf(temperature),
    rejection: { score: score || null, threshold, calibration: calibration && kept(calibration), negatives: { own, struck, added } },
    tuning: tuningOf({ tune: "none", ...tuning }),
    model: { address, name, quantization, sha256 },
  };
  const bytes = new TextEncoder().encode(`${JSON.stringify(written, null, 1)}\n`);
  // Whoever gets the file must be able to read it; now there is somebody who can repair it.
  parseClassifier(bytes);
  return new Blob([bytes], { type: TYPE });
}

const kept = ({ file, score, threshold, n, interval }) => ({ file, score, threshold, n, interval: { low: interval.low, high: interval.high } });

/** Names of devices on Windows, which no file can have, whatever its ending is. */
const DEVICE = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])$/i;

/** The name of a file that holds these classes. */
export function nameOf(labels) {
  const stem = labels.slice(0, 3).join("-").normalize().replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "");
  const short = [...stem].slice(0, 40).join("");
  return `${DEVICE.test(short) ? `classifier-${short}` : short || "classifier"}${ENDING}`;
}

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const isText = (value) => typeof value === "string";
const characters = (text) => (text.length <= MAX_CHARS ? text.length : [...text].length);
const shown = (value) => JSON.stringify(value)?.slice(0, 20) ?? "none";

/** A part that may be left out. */
function part(found, name) {
  const value = found[name] ?? {};
  if (!isObject(value)) throw refused(`its part "${name}" is none`);
  return value;
}

function texts(value, most, what, code) {
  if (!Array.isArray(value) || !value.every(isText)) throw refused(`its ${what} are no list of texts`);
  if (value.length > most) throw refused(`it has more than ${most} ${what}`, code);
  if (value.some((text) => text !== wellFormed(text))) throw refused(`one of its ${what} has half a character`);
  if (value.some((text) => characters(text) > MAX_CHARS)) throw refused(`one of its ${what} is longer than ${MAX_CHARS} characters`, code);
  return value;
}

function labelsOf(value) {
  const labels = texts(value, MAX_LABELS, "class names", "labels/too-long");
  if (labels.length === 0 || labels.some((label) => label.trim() === "")) throw refused("it has no class name, or a blank one", "labels/empty");
  return labels;
}

function templatesOf(value) {
  const templates = texts(value, MAX_TEMPLATES, "sentences", "prompt/invalid-template");
  const sound = templates.length > 0 && templates.every((template) => template.split("{}").length === 2);
  if (!sound) throw refused("each of its sentences must have one {} for the class name", "prompt/invalid-template");
  return templates;
}

function promptOf(value) {
  if (value === null) return null;
  if (!isText(value)) throw refused("its prompt is no text");
  return new Prompt(fromBase64(value));
}

function temperatureOf(given) {
  const [low, high] = TEMPERATURES;
  const value = given ?? 1;
  if (!Number.isFinite(value) || value < low || value > high) throw refused(`its temperature is no number from ${low} to ${high}`, "options/invalid");
  return value;
}

function rejectionOf({ score = "mcm", threshold = null, calibration = null, negatives = {} }) {
  if (score !== null && !SCORES.includes(score)) throw refused(`its score is ${shown(score)}`, "options/invalid");
  const own = threshold === null || (isObject(threshold) && SCORES.includes(threshold.score) && Number.isFinite(threshold.value));
  if (!own) throw refused("its threshold is no number for a score", "options/invalid");
  return {
    score,
    threshold: threshold && { score: threshold.score, value: threshold.value },
    calibration: calibrationOf(calibration),
    negatives: negativesOf(negatives),
  };
}

function calibrationOf(value) {
  if (value === null) return null;
  const numbers = isObject(value) && isObject(value.interval) && [value.threshold, value.n, value.interval.low, value.interval.high].every(Number.isFinite);
  if (!numbers || !SCORES.includes(value.score) || !isText(value.file) || value.file.length > MAX_CALIBRATION) {
    throw refused("its calibration is none", "calibration/invalid");
  }
  return { ...kept(value), failures: [] };
}

function negativesOf(value) {
  if (!isObject(value)) throw refused("its negative labels are none", "negatives/invalid");
  const words = (list, what) => texts(list, MAX_WORDS, what, "negatives/invalid");
  const { own = null, struck = [], added = [] } = value;
  if (own !== null && own.length === 0) throw refused("its list of negative labels is empty", "negatives/empty");
  return { own: own && words(own, "negative labels"), struck: words(struck, "struck words"), added: words(added, "added words") };
}

function tuningOf(value) {
  // `null` is left out, as the command line reads it.
  const { tune = "none", views, steps, seed, rho, augmix } = Object.fromEntries(Object.entries(value).filter(([, setting]) => setting !== null));
  const whole = (low, high) => (value) => value === undefined || (Number.isSafeInteger(value) && value >= low && value <= high);
  const sound =
    METHODS.includes(tune) &&
    whole(1, 1024)(views) &&
    whole(1, 100)(steps) &&
    whole(0, Number.MAX_SAFE_INTEGER)(seed) &&
    (rho === undefined || (Number.isFinite(rho) && rho > 0 && rho <= 1)) &&
    (augmix === undefined || typeof augmix === "boolean");
  if (!sound) throw refused("its settings of tuning are none", "options/invalid");
  // Settings of what is switched off would be refused beside it.
  if (tune === "none") return { tune };
  const given = { tune, views, steps, seed, rho, augmix };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

function modelOf({ address = null, name = "", quantization = null, sha256 = null }) {
  if (address !== null && (!isText(address) || address === "" || address.length > MAX_ADDRESS)) throw refused("the address of its model is none");
  if (!isText(name) || characters(name) > MAX_CHARS) throw refused("the name of its model is none");
  if (quantization !== null && !FORMS.includes(quantization)) throw refused(`the form of its model's weights is ${shown(quantization)}`, "options/invalid");
  if (sha256 !== null && !(isText(sha256) && SHA256.test(sha256))) throw refused("the hash of its model is none");
  return { address, name, quantization, sha256 };
}

/**
 * The address that a model is loaded from, `null` if the file names none. Only hubs and web addresses are
 * taken: a file from somebody else must not name anything on this device.
 *
 * @param {string | null} address as the file has it
 * @param {string | null} base the file's own address, which relative ones start from
 */
export function modelAddress(address, base) {
  if (address === null || /^hf:/i.test(address)) return address;
  if (!URL.canParse(address, base ?? undefined)) {
    throw invalid("The classifier file names its model relative to itself, and this file has no address. Say which model by the option `model`.");
  }
  const { protocol, href } = new URL(address, base ?? undefined);
  if (!["http:", "https:"].includes(protocol)) throw refused(`the address of its model begins with ${protocol}`);
  return href;
}

/** As many bytes as one call takes as its arguments. */
const CALL = 0x8000;

function toBase64(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += CALL) text += String.fromCharCode(...bytes.subarray(at, at + CALL));
  return btoa(text);
}

function fromBase64(text) {
  // The browser's own reading passes over white space, which no writer puts there.
  if (/[^A-Za-z0-9+/=]/.test(text)) throw refused("its prompt is not in base64");
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    throw refused("its prompt is not in base64");
  }
}
