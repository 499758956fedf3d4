/* Texts from anywhere, before they go on. */

const MARKS = /[\u202a-\u202e\u2066-\u2069]/;
const END = "\u2069";

/**
 * A text in which marks turn the reading direction, made so that they turn that of nothing around it. Parts that
 * are closed in themselves stay as they are.
 *
 * @param {string} text
 */
export function contained(text) {
  if (!MARKS.test(text)) return text;
  let open = 0;
  let reachesOut = false;
  let kept = "";
  for (const sign of text) {
    if (sign >= "\u2066" && sign <= "\u2068") open += 1;
    // An end without a beginning would end what is around it.
    if (sign === END && (open -= 1) < 0) open = 0;
    else kept += sign;
    if (sign >= "\u202a" && sign <= "\u202e" && open === 0) reachesOut = true;
  }
  kept += END.repeat(open);
  return reachesOut ? `\u2068${kept}${END}` : kept;
}

/**
 * A text without halves of characters, which neither the engine nor a file can hold: each becomes U+FFFD, as in UTF-8.
 *
 * @param {string} text
 */
export const wellFormed = (text) => text.replace(/\p{Surrogate}/gu, "\ufffd");
