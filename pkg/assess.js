import { blobOf, placesIn } from "./arguments.js";
import { invalid } from "./error.js";

/** The largest number that an option of confusedPairs takes. */
const MOST = 1000;

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

/** The probabilities of `answers` [N, K], each in the order of `names`. */
function probabilitiesOf(answers, names, placeOf) {
  const all = new Float64Array(answers.length * names.length);
  answers.forEach(({ predictions }, row) => {
    for (const { label, probability } of predictions) all[row * names.length + placeOf(label)] = probability;
  });
  return all;
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
  const labels = Uint32Array.from(answers, ({ label }) => placeOf(label));
  return engine.call("assess", { probabilities: probabilitiesOf(answers, names, placeOf), labels, classes: names.length });
}

/**
 * The classes that `answers` leave in doubt.
 *
 * @param {import("./client.js").EngineClient} engine
 * @param {string[]} names
 * @param {{predictions: import("./index.js").Prediction[]}[]} answers
 * @param {import("./index.js").ConfusedPairsOptions} options
 * @returns {Promise<import("./index.js").ConfusedPairs>}
 */
export async function confusedPairs(engine, names, answers, { top = 3, limit = 50, texts = 5, ...unknown }) {
  for (const name of Object.keys(unknown)) throw invalid(`There is no option \`${name}\`; there are top, limit and texts.`);
  for (const [name, value] of Object.entries({ top, limit, texts })) {
    if (!Number.isInteger(value) || value < 1 || value > MOST) throw invalid(`\`${name}\` must be a whole number from 1 to ${MOST}.`);
  }
  const { pairs, file } = await engine.call("confusedPairs", { probabilities: probabilitiesOf(answers, names, placesIn(names)), names, top, limit, texts });
  return { pairs, toBlob: () => new Blob([file], { type: "application/json" }) };
}
