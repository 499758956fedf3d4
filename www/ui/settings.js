import { wellFormed } from "./text.js";

/** The forms of weights; a link that names another one is ignored. */
const FORMS = ["q8", "q4", "mixed", "f16", "none"];

/**
 * The settings in the page's address: `?device=auto|webgpu|cpu&model=<address>&quantization=q8&labels=a,b`.
 *
 * @param {string} search
 * @returns {{device: string, model: string | File[], quantization: string | undefined, labels: string[] | null}}
 */
export function readSettings(search) {
  const query = new URLSearchParams(search);
  const labels = query.get("labels");
  return {
    device: query.get("device") ?? "auto",
    model: query.get("model") ?? "./models/mini/",
    quantization: FORMS.find((form) => form === query.get("quantization")),
    labels: labels === null ? null : list(labels),
  };
}

/** Names between commas, or a JSON array of them, as the engine reads them. */
export const list = (text) => parts(text).map(wellFormed);

function parts(text) {
  if (text.startsWith("[")) {
    try {
      const names = JSON.parse(text);
      if (Array.isArray(names)) return names.filter((name) => typeof name === "string");
    } catch {
      // Then the bracket is part of a name.
    }
  }
  return text.split(",").map((name) => name.trim()).filter(Boolean);
}

/** The class names that a model folder offers in its `labels.json`, or none. */
export async function modelLabels(model) {
  try {
    const folder = new URL(model.endsWith("/") ? model : `${model}/`, document.baseURI);
    const response = await fetch(new URL("labels.json", folder));
    const list = response.ok ? await response.json() : [];
    return Array.isArray(list) ? list.filter((name) => typeof name === "string") : [];
  } catch {
    return [];
  }
}
