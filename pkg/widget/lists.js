/* Lists of texts, as attributes have them. */

/** Frameworks set attributes of their templates as properties, so a list of names may be a text. */
export const isText = (value) => value === null || value === undefined || typeof value === "string";

/** A list of texts: a JSON array, or texts between `separator`. */
export function list(text, separator) {
  if (!text) return [];
  if (text.trimStart().startsWith("[")) {
    try {
      const parsed = JSON.parse(text);
      if (Array.isArray(parsed)) return parsed.map(String);
    } catch {
      // Then the bracket is part of a name.
    }
  }
  const items = separator ? text.split(separator).map((item) => item.trim()) : [text];
  return items.filter(Boolean);
}
