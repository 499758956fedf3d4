/** The scores that compare with negative labels: words for what is none of the classes. */
export const READERS = ["neglabel", "lapt"];

/** The negative labels: those that the engine mines, with the user's edits, or a list of the user's own. */
export class NegativeLabels {
  /** Mined words that the user struck. @type {string[]} */
  struck = [];
  /** Words that the user added to the mined ones. @type {string[]} */
  added = [];
  /** A list in place of mined words. @type {string[] | null} */
  own = null;
  /** The words in use, as far as they are known. @type {string[]} */
  words = [];
  /** Whether `words` are those of the class list and the edits as they are. */
  fresh = false;

  /** Whether mined words were edited. */
  get edited() {
    return this.own === null && this.struck.length + this.added.length > 0;
  }

  /** The edits, as an option of `mineNegatives` and in links. */
  get edits() {
    return { struck: this.struck, added: this.added };
  }

  /** Whether `score` reads mined words that were edited, so that they must be mined with the edits. */
  mustBeMined(score) {
    return this.edited && READERS.includes(score);
  }

  /** The option of `classify` for `score`. */
  optionFor(score) {
    return this.own && READERS.includes(score) ? { negatives: this.own } : {};
  }

  /** The option of `train` and `pseudoLabel`; empty without edits: the engine chooses. */
  get forTraining() {
    return (this.own || this.edited) && this.words.length > 0 ? { negatives: this.words } : {};
  }

  strike(word) {
    if (this.own) this.own = this.own.filter((other) => other !== word);
    else if (this.added.includes(word)) this.added = this.added.filter((other) => other !== word);
    else this.struck = [...this.struck, word];
    this.fresh = false;
  }

  /** Adds a word. @returns {boolean} false: it is there already */
  add(word) {
    if (this.words.includes(word)) return false;
    this.struck = this.struck.filter((other) => other !== word);
    if (this.own) this.own = [...this.own, word];
    else this.added = [...this.added, word];
    this.fresh = false;
    return true;
  }

  /** Replaces mined words by a list. @param {string[]} list */
  replace(list) {
    this.own = list;
    this.fresh = false;
  }

  /** Goes back to the mined words. */
  restore() {
    [this.struck, this.added, this.own] = [[], [], null];
    this.fresh = false;
  }
}
