/** Which folder each photo belongs in, by its answer. */

/** The folder of photos that the rejection threshold calls none of the classes. */
export const NONE = Symbol("none of these");
/** The folder of photos whose best name has too small a share. */
export const UNSURE = Symbol("unsure");

/** @typedef {import("./photo.js").Photo} Photo */

/**
 * The folder of a photo that is answered: a class name, or one of the two above.
 *
 * @param {Photo} photo
 * @param {number} share probabilities below it are unsure
 */
export function folderOf({ result: { predictions: [best], ood } }, share) {
  if (ood?.isOutlier === true) return NONE;
  return best.probability < share ? UNSURE : best.label;
}

/**
 * Sorts photos into folders.
 *
 * @param {Iterable<Photo>} photos
 * @param {number} share
 * @param {Set<Photo>} [without] photos to leave out
 * @returns {{folders: Map<string | symbol, Photo[]>, failed: Photo[], unanswered: Photo[], without: number}} the
 *   fullest folder of a class first, then the unsure, then none of these
 */
export function sorted(photos, share, without = new Set()) {
  const folders = new Map();
  const rest = { failed: [], unanswered: [], without: 0 };
  for (const photo of photos) {
    if (photo.state === "failed") rest.failed.push(photo);
    else if (!photo.done) rest.unanswered.push(photo);
    else if (without.has(photo)) rest.without += 1;
    else {
      const folder = folderOf(photo, share);
      if (!folders.has(folder)) folders.set(folder, []);
      folders.get(folder).push(photo);
    }
  }
  const rank = (folder) => [UNSURE, NONE].indexOf(folder);
  const ordered = [...folders].sort(([a, some], [b, others]) => rank(a) - rank(b) || others.length - some.length);
  return { folders: new Map(ordered), ...rest };
}
