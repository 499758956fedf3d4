/** The largest list in bytes. */
const MAX_BYTES = 4 * 1024 * 1024;

/** The words in a file, one per line or a JSON array; none: it holds something else. @param {File} file */
export async function wordsOf(file) {
  if (file.size > MAX_BYTES) return [];
  const text = (await file.text()).replace(/^\uFEFF/, "");
  let found;
  try {
    found = JSON.parse(text);
  } catch {
    found = text.split(/\r?\n/);
  }
  if (!Array.isArray(found) || found.some((word) => typeof word !== "string")) return [];
  return [...new Set(found.map((word) => word.trim()).filter(Boolean))];
}
