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
 * The class names in a file, as the engine reads them.
 *
 * @param {File} file
 * @param {(file: File) => Promise<import("../pkg/index.js").LabelList>} parse
 * @returns {Promise<import("../pkg/index.js").LabelList>}
 * @throws {Error} with a `reason` that is a message's key, or the engine's
 */
export async function namesFromFile(file, parse) {
  if (file.size > MAX_BYTES) throw Object.assign(new Error("too large"), { reason: "names.file-large" });
  try {
    return await parse(file);
  } catch (error) {
    if (error.code === "labels/empty") error.reason = "names.file-empty";
    throw error;
  }
}
