/**
 * The settings in the page's address: `?device=auto|webgpu|cpu&model=<folder>&labels=a,b`.
 *
 * @param {string} search
 * @returns {{device: string, model: string, labels: string[] | null}}
 */
export function readSettings(search) {
  const query = new URLSearchParams(search);
  const labels = query.get("labels");
  return {
    device: query.get("device") ?? "auto",
    model: query.get("model") ?? "./models/mini/",
    labels: labels === null ? null : list(labels),
  };
}

/** Names between commas, or a JSON array of them. */
export function list(text) {
  if (text.startsWith("[")) {
    try {
      const names = JSON.parse(text);
      if (Array.isArray(names)) return names.filter((name) => typeof name === "string");
    } catch {
      // Then the bracket belongs to a name.
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
