/** Class lists to start from, and class lists from files. */

/** Names in English, as the model learned them; the titles are messages `presets.<key>`. */
export const PRESETS = {
  animals: ["cat", "dog", "horse", "bird", "deer", "frog", "cow", "sheep", "elephant", "bear"],
  vehicles: ["car", "truck", "bus", "bicycle", "motorcycle", "train", "airplane", "ship", "boat"],
  flowers: ["daisy", "dandelion", "roses", "sunflowers", "tulips"],
  places: ["church", "street", "beach", "mountain", "forest", "kitchen", "office", "shop"],
  food: ["pizza", "bread", "soup", "salad", "apple", "banana", "cake", "sushi"],
};

/** Larger lists are refused by the engine; a file beyond this is not read at all. */
const MAX_BYTES = 1024 * 1024;

/**
 * The class names in a file: a JSON array (of texts, or of objects with a `label` or `name`), the
 * first column of CSV, or one name per line.
 *
 * @param {File} file
 * @returns {Promise<string[]>} empty where there are none
 * @throws {Error} with a `reason` that is a message's key
 */
export async function namesFromFile(file) {
  if (file.size > MAX_BYTES) throw Object.assign(new Error("too large"), { reason: "names.file-large" });
  const text = (await file.text()).replace(/^\uFEFF/, "");
  const trimmed = text.trimStart();
  if (trimmed.startsWith("[") || trimmed.startsWith("{")) return fromJson(trimmed);
  return /\.csv$/i.test(file.name) ? fromCsv(text) : lines(text);
}

function fromJson(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    throw Object.assign(new Error("not JSON"), { reason: "names.file-json" });
  }
  const list = Array.isArray(value) ? value : (value.labels ?? value.classes ?? Object.values(value));
  const names = list.map((item) => (typeof item === "string" ? item : (item?.label ?? item?.name)));
  return unique(names.filter((name) => typeof name === "string"));
}

const lines = (text) => unique(text.split(/\r\n|\r|\n/));

/** RFC 4180: the first cell of each row; a head row that says so is left out. */
function fromCsv(text) {
  const names = [];
  for (const [, quoted, bare] of text.matchAll(/(?:^|\r\n|\r|\n)(?:"((?:[^"]|"")*)"|([^,;\t\r\n"]*))/g)) {
    names.push(quoted === undefined ? bare : quoted.replaceAll('""', '"'));
  }
  if (/^(labels?|names?|class(es)?)$/i.test(names[0]?.trim() ?? "")) names.shift();
  return unique(names);
}

function unique(names) {
  return [...new Set(names.map((name) => name.trim()).filter(Boolean))];
}
