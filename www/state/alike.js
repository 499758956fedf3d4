import { cosine } from "./features.js";

/** Milliseconds of work between two looks at what else the page has to do. */
const SLICE_MS = 20;

/**
 * Groups of photos that are nearly the same. A photo belongs to the group whose first photo it is most like,
 * if their cosine is at least `threshold`: so each member is near the one that may stand for all, and no
 * chain of small changes joins photos that differ.
 *
 * @template T
 * @param {Map<T, Float32Array>} features in the order in which photos come first
 * @param {number} threshold
 * @param {object} how
 * @param {AbortSignal} how.signal
 * @param {(loaded: number, total: number) => void} how.onProgress
 * @returns {Promise<{photo: T, score: number}[][]>} groups of two or more; the first photo of each has the score 1
 */
export async function groupsOf(features, threshold, { signal, onProgress }) {
  /** Each group, by its first photo's feature. */
  const groups = [];
  let rest = performance.now() + SLICE_MS;
  let loaded = 0;
  for (const [photo, feature] of features) {
    let best = null;
    let score = threshold;
    for (const group of groups) {
      const near = cosine(group.feature, feature);
      if (near >= score) [best, score] = [group, near];
    }
    if (best) best.members.push({ photo, score });
    else groups.push({ feature, members: [{ photo, score: 1 }] });
    loaded += 1;
    if (performance.now() < rest) continue;
    onProgress(loaded, features.size);
    await new Promise((resolve) => setTimeout(resolve));
    signal.throwIfAborted();
    rest = performance.now() + SLICE_MS;
  }
  return groups.map(({ members }) => members).filter(({ length }) => length > 1);
}

/** The photos that are not the first of their group. @template T @param {{photo: T}[][]} groups @returns {Set<T>} */
export const laterOnes = (groups) => new Set(groups.flatMap((members) => members.slice(1).map(({ photo }) => photo)));
