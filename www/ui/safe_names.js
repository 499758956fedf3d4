/** Names that every file system takes, and that cannot lead anywhere else. */

/** UTF-8 bytes of a name, at most: file systems allow 255, and some a whole path of 260 characters. */
const MOST_BYTES = 120;

/**
 * What a name may not hold: what separates folders, what Windows or a browser refuses, control characters,
 * signs that turn the reading direction or cannot be seen, line and paragraph separators, and code points
 * that are no characters. The two joiners of scripts and of emoji stay.
 */
const FORBIDDEN = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Noncharacter_Code_Point}"*/:<>?\\|]/gu;
/** Names of devices on Windows, with any ending. */
const DEVICE = /^(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])\s*(\.|$)/i;
const ENDING = /\.[a-z0-9]{1,8}$/i;

/**
 * A safe form of `name`.
 *
 * @param {string} name
 * @param {string} otherwise if nothing of it can stay
 */
export function safeName(name, otherwise) {
  const clean = name.toWellFormed().normalize("NFC").replace(FORBIDDEN, "_");
  // A dot in front hides a file; Windows drops dots and spaces at the end.
  const bare = clean.replace(/^[\s.]+/, "").replace(/[\s.~]+$/, "");
  return cut(bare === "" ? otherwise : DEVICE.test(bare) ? `_${bare}` : bare);
}

/** Shortens a name and keeps its ending. */
function cut(name) {
  const size = (text) => new TextEncoder().encode(text).length;
  if (size(name) <= MOST_BYTES) return name;
  const [ending = ""] = ENDING.exec(name) ?? [];
  let room = MOST_BYTES - size(ending);
  let stem = "";
  for (const sign of name.slice(0, name.length - ending.length)) {
    room -= size(sign);
    if (room < 0) break;
    stem += sign;
  }
  return stem.trimEnd() + ending;
}

/** A name with a number before its ending. */
export const numbered = (name, number) => {
  const [ending = ""] = ENDING.exec(name) ?? [];
  return `${name.slice(0, name.length - ending.length)} (${number})${ending}`;
};

/**
 * Makes the names in one folder different from each other, for file systems that see no difference between
 * large and small letters too.
 */
export class UniqueNames {
  #taken = new Set();
  /** The number that a name would get next. @type {Map<string, number>} */
  #next = new Map();

  /** @param {string[]} [taken] */
  constructor(taken = []) {
    for (const name of taken) this.of(name);
  }

  /** `name`, or with a number if it is taken. */
  of(name) {
    const key = fold(name);
    let number = this.#next.get(key) ?? 1;
    let unique = number === 1 ? name : numbered(name, number);
    while (this.#taken.has(fold(unique))) unique = numbered(name, (number += 1));
    this.#next.set(key, number + 1);
    this.#taken.add(fold(unique));
    return unique;
  }
}

const fold = (name) => name.normalize("NFKC").toUpperCase().toLowerCase();
