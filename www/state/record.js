/**
 * What is kept of the page's work between visits: the class list, the sentence around the names, the
 * rejection settings, the temperature of percentages, and which learned prompt goes with them.
 *
 * @typedef {object} Record
 * @property {string[] | null} names `null`: those that come with the model
 * @property {string | null} template
 * @property {string[]} otherTemplates sentences beside it
 * @property {string | null} score empty: none
 * @property {{score: string, value: number} | null} threshold the user's own
 * @property {import("../pkg/index.js").Calibration | null} calibration
 * @property {{struck: string[], added: string[], own: string[] | null}} negatives edits of the negative labels
 * @property {{value: number, model: string, prompt: string | null} | null} temperature of percentages, and the SHA-256 of the
 *   model and the prompt that it was fitted with
 * @property {{sha256: string, used: boolean} | null} prompt the SHA-256 of its file, and whether it answers
 */

/** The version of the text; one that this page does not know is dropped. */
const FORMAT = 1;
/** Longer texts are not of this page: a browser keeps 5 million characters for a site. */
const MAX_LENGTH = 5_000_000;

const text = (value) => typeof value === "string";
const texts = (value) => Array.isArray(value) && value.every(text);
const sha256 = (value) => text(value) && /^[0-9a-f]{64}$/.test(value);
const or = (check) => (value) => value === null || check(value);
const shaped = (checks) => (value) =>
  typeof value === "object" && value !== null && Object.entries(checks).every(([name, check]) => check(value[name]));

/** What each part must be. */
const PARTS = {
  names: or(texts),
  template: or(text),
  // Records of former versions have none.
  otherTemplates: (value) => value === undefined || texts(value),
  score: or(text),
  threshold: or(shaped({ score: text, value: Number.isFinite })),
  calibration: or(
    shaped({
      file: text,
      score: text,
      threshold: Number.isFinite,
      n: Number.isFinite,
      interval: shaped({ low: Number.isFinite, high: Number.isFinite }),
      failures: Array.isArray,
    }),
  ),
  negatives: shaped({ struck: texts, added: texts, own: or(texts) }),
  // Records of former versions have none.
  temperature: (value) => value === undefined || or(shaped({ value: (t) => Number.isFinite(t) && t >= 0.05 && t <= 20, model: sha256, prompt: or(sha256) }))(value),
  prompt: or(shaped({ sha256, used: (value) => typeof value === "boolean" })),
};

/** @returns {Record} */
export const emptyRecord = () => ({
  names: null,
  template: null,
  otherTemplates: [],
  score: null,
  threshold: null,
  calibration: null,
  negatives: { struck: [], added: [], own: null },
  temperature: null,
  prompt: null,
});

/**
 * What there is to keep of a session, with the prompt that is at hand.
 *
 * @param {import("../session.js").Session} session
 * @param {Record["prompt"]} prompt
 * @returns {Record}
 */
export function recordOf({ names, offeredNames, template, otherTemplates, rejection, negatives, honesty }, prompt) {
  const { score, threshold, calibration } = rejection;
  // Names that come with a model are those of the model as it is at the next visit.
  const own = names.length === offeredNames.length && names.every((name, i) => name === offeredNames[i]);
  const kept = { names: own ? null : [...names], template, otherTemplates, score, threshold, calibration };
  return { ...kept, negatives: editsOf(negatives), temperature: honesty.record, prompt };
}

const editsOf = ({ struck, added, own }) => ({ struck, added, own });

/** @param {Record} record */
export const writeRecord = (record) => JSON.stringify({ format: FORMAT, ...record });

/**
 * Reads what was kept. A part that is none is left out, so that it costs no other.
 *
 * @param {string} written
 * @returns {{record: Record, damaged: boolean}} `damaged`: something was left out
 */
export function readRecord(written) {
  const record = emptyRecord();
  let found = null;
  try {
    if (written.length <= MAX_LENGTH) found = JSON.parse(written);
  } catch {
    // It is no record then.
  }
  if (found?.format !== FORMAT) return { record, damaged: true };
  let damaged = false;
  for (const [part, check] of Object.entries(PARTS)) {
    if (check(found[part])) record[part] = found[part] ?? record[part];
    else damaged = true;
  }
  return { record, damaged };
}
