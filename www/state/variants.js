/** Most photos whose style is borrowed: each is read for every answer. */
const MOST_BORROWED = 8;

const stem = (name) => name.replace(/\.[^.]*$/, "").toLowerCase();

/**
 * What DiffTPT-lite may look at beside a photo: pictures that somebody made from it, and the other photos
 * on the page, whose style it may borrow.
 */
export class Variants {
  /** Pictures by the photo that they were made from. @type {Map<import("./photo.js").Photo, File[]>} */
  #pictures = new Map();
  /** Whether views borrow the style of the other photos. */
  borrows = false;
  /** How many pictures of the last choice go with no photo. */
  astray = 0;

  get count() {
    return [...this.#pictures.values()].reduce((sum, files) => sum + files.length, 0);
  }

  /**
   * Adds pictures. Each goes with the photo whose name its own begins with (`cat.jpg`, `cat-1.png`), or
   * with the only photo.
   *
   * @param {File[]} files
   * @param {Iterable<import("./photo.js").Photo>} photos
   * @returns {boolean} whether any goes with a photo
   */
  add(files, photos) {
    const all = [...photos];
    this.astray = 0;
    for (const file of files) {
      const photo = photoOf(file.name, all);
      if (photo) this.#pictures.set(photo, [...(this.#pictures.get(photo) ?? []), file]);
      else this.astray += 1;
    }
    return this.astray < files.length;
  }

  clear() {
    this.#pictures.clear();
    this.astray = 0;
  }

  /** Forgets the pictures of a photo. */
  remove(photo) {
    this.#pictures.delete(photo);
  }

  /** The options of `classify` for one photo. */
  optionsFor(photo, photos) {
    const others = this.borrows ? [...photos].filter((other) => other !== photo).slice(0, MOST_BORROWED) : [];
    return { variants: [...(this.#pictures.get(photo) ?? [])], gallery: others.map(({ file }) => file) };
  }
}

/** The photo that a picture of this name goes with; the one with the longest name, if several fit. */
function photoOf(name, photos) {
  const fits = photos.filter((photo) => stem(name).startsWith(stem(photo.name)));
  const [longest] = fits.sort((a, b) => stem(b.name).length - stem(a.name).length);
  return longest ?? (photos.length === 1 ? photos[0] : null);
}
