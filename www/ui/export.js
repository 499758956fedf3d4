/** The results as JSON, with the keys of the command line, and as CSV with one row for each photo. */

/**
 * @typedef {{file: string, result?: import("../pkg/index.js").Result, error?: {code: string, message: string}}} Entry
 * @typedef {object} Settings
 * @property {string[]} labels
 * @property {string} template
 * @property {string[]} [otherTemplates] sentences beside it
 * @property {{recipe: string, sha256: string | null} | null} prompt a learned one that answers in the template's place
 * @property {number} [temperature] of percentages; left out: the model's own
 * @property {object} tune
 * @property {object} ood
 * @property {{struck: string[], added: string[]}} edits of the words for none of the labels
 * @property {import("../pkg/index.js").Info} info
 */

function settingsOf({ labels, template, otherTemplates = [], prompt, temperature = 1, tune, ood, edits, info }) {
  return {
    promptlens: info.version,
    model: info.model,
    model_sha256: info.modelSha256,
    quantization: info.quantization,
    device: info.device.kind,
    adapter: [info.device.vendor, info.device.architecture].filter(Boolean).join("/"),
    labels,
    template,
    ...(otherTemplates.length > 0 ? { other_templates: otherTemplates } : {}),
    prompt,
    ...(temperature === 1 ? {} : { temperature }),
    ...tune,
    ...ood,
    ...edits,
  };
}

function answered({ predictions, ood, tuning, timings }) {
  return {
    predictions,
    ood: ood && {
      score: ood.score,
      value: ood.value,
      threshold: ood.threshold,
      is_outlier: ood.isOutlier,
      nearest_negatives: ood.nearestNegatives,
    },
    tuning: tuning && {
      views: tuning.views,
      variants: tuning.variants,
      kept: tuning.kept,
      guarded: tuning.guarded,
      entropy_before: tuning.entropyBefore,
      entropy_after: tuning.entropyAfter,
      predictions_before: tuning.predictionsBefore,
      kept_views: tuning.keptViews.map(({ index, entropy }) => ({ index, entropy })),
    },
    timings,
  };
}

/**
 * @param {Entry[]} entries
 * @param {Settings} settings
 */
export function toJson(entries, settings) {
  const results = entries.map(({ file, result, error }) =>
    result ? { file, ...answered(result) } : { file, error: { code: error.code, message: error.message } },
  );
  return `${JSON.stringify({ settings: settingsOf(settings), results }, null, 2)}\n`;
}

/**
 * RFC 4180. Every row has the settings, so that rows of several files can be put together.
 *
 * @param {Entry[]} entries
 * @param {Settings} settings
 */
export function toCsv(entries, settings) {
  const { labels, ...common } = settingsOf(settings);
  const rows = entries.map((entry) => [...answerCells(entry), ...Object.values(common), ...probabilities(entry, labels)]);
  const head = [...ANSWER, ...Object.keys(common), ...labels.map((label) => `p(${label})`)];
  return [head, ...rows].map((cells) => `${cells.map(cell).join(",")}\r\n`).join("");
}

const ANSWER = [
  "file",
  "answer",
  "probability",
  "ood_score",
  "ood_value",
  "ood_threshold",
  "is_outlier",
  "answer_before",
  "probability_before",
  "entropy_before",
  "entropy_after",
  "views_kept",
  "guarded",
  "error",
];

function answerCells({ file, result, error }) {
  const best = result?.predictions[0];
  const before = result?.tuning?.predictionsBefore[0];
  const { ood, tuning } = result ?? {};
  return [
    file,
    best?.label,
    best?.probability,
    ood?.score,
    ood?.value,
    ood?.threshold,
    ood?.isOutlier,
    before?.label,
    before?.probability,
    tuning?.entropyBefore,
    tuning?.entropyAfter,
    tuning?.kept,
    tuning?.guarded,
    error?.code,
  ];
}

function probabilities({ result }, labels) {
  const known = new Map(result?.predictions.map(({ label, probability }) => [label, probability]));
  return labels.map((label) => known.get(label));
}

/** A value as RFC 4180 writes it, and as no spreadsheet runs it. */
export function cell(value) {
  if (value === undefined || value === null) return "";
  if (typeof value === "object") return cell(JSON.stringify(value));
  if (typeof value !== "string") return String(value);
  // A spreadsheet would run a text that begins like a formula; some trim it, or read wide signs as plain ones.
  const text = /^\s*[=+\-@＝＋－＠]|^[\t\r\n]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
