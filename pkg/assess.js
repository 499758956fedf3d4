import { blobOf } from "./arguments.js";
import { invalid } from "./error.js";

/**
 * Answers labelled photos one after the other and says how good the answers are.
 *
 * @param {import("./classes.js").Classes} classes
 * @param {import("./client.js").EngineClient} engine
 * @param {Iterable<{image: any, label: string}>} examples
 * @param {import("./index.js").AssessOptions} options
 * @returns {Promise<import("./index.js").Assessment>}
 */
export async function assess(classes, engine, examples, { onProgress, signal, ...options }) {
  const places = new Map(classes.labels.map((label, place) => [label.normalize(), place]));
  const given = Array.from(examples, ({ image, label }) => {
    const place = places.get(String(label).normalize());
    if (place === undefined) throw invalid(`No class of the list is called ${JSON.stringify(label)}.`);
    return { image: blobOf(image), place };
  });
  const answers = [];
  const failures = [];
  const tell = (loaded) => onProgress?.({ stage: "assess", loaded, total: given.length, source: "cache" });
  tell(0);
  for (const [index, { image, place }] of given.entries()) {
    try {
      const { predictions } = await classes.classify(image, { ...options, ood: false, signal });
      answers.push({ index, predictions, place });
    } catch (error) {
      if (signal?.aborted || !error.code?.startsWith("image/")) throw error;
      failures.push({ index, code: error.code, message: error.message });
    }
    tell(index + 1);
  }
  const found = await measure(engine, classes.labels, answers.map(({ predictions, place }) => ({ predictions, label: classes.labels[place] })));
  return { ...found, failures };
}

/**
 * How good answers that are there already are.
 *
 * @param {import("./client.js").EngineClient} engine
 * @param {string[]} names
 * @param {{predictions: import("./index.js").Prediction[], label: string}[]} answers
 */
export async function measure(engine, names, answers) {
  const places = new Map(names.map((name, place) => [name, place]));
  const probabilities = new Float64Array(answers.length * names.length);
  const labels = new Uint32Array(answers.length);
  const placeOf = (name) => {
    const place = places.get(name);
    if (place === undefined) throw invalid(`No class of the list is called ${JSON.stringify(name)}.`);
    return place;
  };
  answers.forEach(({ predictions, label }, row) => {
    labels[row] = placeOf(label);
    for (const { label: name, probability } of predictions) probabilities[row * names.length + placeOf(name)] = probability;
  });
  return engine.call("assess", { probabilities, labels, classes: names.length });
}
