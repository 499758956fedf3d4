/* The tasks: what each takes and answers. */
import { invalid, PromptLensError } from "../error.js";
import { imageEncoder } from "./encoder.js";
import { Tensor } from "./tensor.js";

/** Task by name: the model that it takes by default, and what makes its function from a loaded model. */
const TASKS = {
  "zero-shot-image-classification": { defaultModel: () => "Xenova/clip-vit-base-patch32", run: zeroShot },
  "image-feature-extraction": { defaultModel: noDefault, run: features },
};

/** @param {string} task */
export function taskOf(task) {
  if (Object.hasOwn(TASKS, task)) return TASKS[task];
  const known = Object.keys(TASKS).join(" and ");
  throw invalid(`The task ${JSON.stringify(task)} is not offered: this package has the tasks of CLIP, ${known}.`);
}

function noDefault(task) {
  throw invalid(`Name a model: the default of transformers.js for ${task} is DINOv3, which is no CLIP.`);
}

function zeroShot(lens, resize) {
  const encode = imageEncoder(lens, resize);
  /** L2-normalized features of the last call's texts: calls for one photo after the other mostly repeat them. @type {Map<string, Float32Array>} */
  let known = new Map();

  async function textFeatures(texts, signal) {
    const missing = [...new Set(texts)].filter((text) => !known.has(text));
    const found = missing.length > 0 ? await lens.embedText(missing, { signal }) : [];
    const all = new Map([...known, ...missing.map((text, i) => [text, found[i]])]);
    known = new Map(texts.map((text) => [text, all.get(text)]));
    return texts.map((text) => all.get(text));
  }

  return async (images, candidateLabels, options = {}) => {
    const { hypothesis_template: template = "This is a photo of {}", signal, ...others } = options ?? {};
    refuseOthers(others, ["hypothesis_template", "signal"]);
    if (!Array.isArray(candidateLabels) || candidateLabels.some((label) => typeof label !== "string")) {
      throw invalid("The second argument is the list of candidate labels, an array of strings.");
    }
    if (candidateLabels.length === 0) throw new PromptLensError("labels/empty", "Give at least one candidate label.");
    if (typeof template !== "string") throw invalid("`hypothesis_template` must be a string.");
    const texts = await textFeatures(candidateLabels.map((label) => template.replace("{}", () => label)), signal);
    const results = [];
    for (const image of Array.isArray(images) ? images : [images]) {
      const feature = await encode(image, signal);
      const scale = lens.info.logitScale / Math.sqrt(dot(feature, feature));
      const scores = softmax(texts.map((text) => scale * dot(feature, text)));
      const result = candidateLabels.map((label, i) => ({ score: scores[i], label }));
      results.push(result.sort((a, b) => b.score - a.score));
    }
    return Array.isArray(images) ? results : results[0];
  };
}

function features(lens, resize) {
  const encode = imageEncoder(lens, resize);
  return async (images, options = {}) => {
    const { pool = null, signal, ...others } = options ?? {};
    refuseOthers(others, ["pool", "signal"]);
    if (pool) throw invalid("`pool` does not apply: CLIP's image tower has one projected feature per image and no pooler output.");
    const list = Array.isArray(images) ? images : [images];
    const data = new Float32Array(list.length * lens.info.dimension);
    for (const [i, image] of list.entries()) data.set(await encode(image, signal), i * lens.info.dimension);
    return new Tensor(data, [list.length, lens.info.dimension]);
  };
}

function refuseOthers(others, known) {
  const [name] = Object.keys(others);
  if (name !== undefined) throw invalid(`There is no option ${JSON.stringify(name)} here; there are ${known.join(" and ")}.`);
}

function dot(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += a[i] * b[i];
  return sum;
}

function softmax(logits) {
  const largest = logits.reduce((a, b) => Math.max(a, b));
  const powers = logits.map((logit) => Math.exp(logit - largest));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((power) => power / sum);
}
