import { blobOf, placesIn } from "./arguments.js";

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
  const placeOf = placesIn(classes.labels);
  const given = Array.from(examples, ({ image, label }) => ({ image: blobOf(image), label: classes.labels[placeOf(label)] }));
  const answers = [];
  const failures = [];
  const tell = (loaded) => onProgress?.({ stage: "assess", loaded, total: given.length, source: "cache" });
  tell(0);
  for (const [index, { image, label }] of given.entries()) {
    try {
      const { predictions } = await classes.classify(image, { ...options, ood: false, signal });
      answers.push({ predictions, label });
    } catch (error) {
      if (signal?.aborted || !error.code?.startsWith("image/")) throw error;
      failures.push({ index, code: error.code, message: error.message });
    }
    tell(index + 1);
  }
  return { ...(await measure(engine, classes.labels, answers)), failures };
}

/**
 * How good answers that are there already are.
 *
 * @param {import("./client.js").EngineClient} engine
 * @param {string[]} names
 * @param {{predictions: import("./index.js").Prediction[], label: string}[]} answers
 */
export async function measure(engine, names, answers) {
  const placeOf = placesIn(names);
  const probabilities = new Float64Array(answers.length * names.length);
  const labels = new Uint32Array(answers.length);
  answers.forEach(({ predictions, label }, row) => {
    labels[row] = placeOf(label);
    for (const { label: name, probability } of predictions) probabilities[row * names.length + placeOf(name)] = probability;
  });
  return engine.call("assess", { probabilities, labels, classes: names.length });
}
