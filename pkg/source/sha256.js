/**
 * SHA-256 of bytes or of a text, in lower-case hexadecimal.
 *
 * @param {ArrayBuffer | ArrayBufferView | string} content
 * @returns {Promise<string>}
 */
export async function sha256Of(content) {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
