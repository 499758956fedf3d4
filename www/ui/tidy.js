import { wellFormed } from "./text.js";

/** Marks of the writing direction, soft hyphens and spaces of no width. */
const INVISIBLE = /[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]/g;

/** A name as the engine reads it from a file: in Unicode's composed form (NFC), without invisible or half characters. */
export const tidy = (name) => wellFormed(name).replace(INVISIBLE, "").trim().normalize();
