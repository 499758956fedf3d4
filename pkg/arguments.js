/* What callers hand over, checked before it goes to the engine. */
import { invalid } from "./error.js";
import { wellFormed } from "./text.js";

/** @returns {Blob} */
export function blobOf(image) {
  if (image instanceof Blob) return image;
  if (image instanceof ArrayBuffer || ArrayBuffer.isView(image)) return new Blob([image]);
  throw invalid("The image must be a Blob, a File or its bytes.");
}

/** Rows of one length, one after the other. */
export function rowsOf(rows) {
  const list = Array.from(rows, (row) => Float32Array.from(row));
  const [first] = list;
  if (!first || list.some(({ length }) => length !== first.length)) throw invalid("Give features of one length, at least one.");
  const all = new Float32Array(list.length * first.length);
  list.forEach((row, i) => all.set(row, i * first.length));
  return all;
}

/** A copy of a list of strings, as the engine reads them; anything else is refused. */
export function strings(list, name) {
  if (!Array.isArray(list) || list.some((item) => typeof item !== "string")) {
    throw invalid(`\`${name}\` must be an array of strings.`);
  }
  return list.map(wellFormed);
}

/** Tells the place of a class among `names`; a class that is not there is refused. */
export function placesIn(names) {
  const places = new Map(names.map((name, place) => [name.normalize(), place]));
  return (label) => {
    const place = places.get(wellFormed(String(label)).normalize());
    if (place === undefined) throw invalid(`No class of the list is called ${JSON.stringify(label)}.`);
    return place;
  };
}

/** `options` without the keys that were given as `undefined`. */
export function defined(options) {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
