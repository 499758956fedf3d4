/**
 * The recipes that Teach suggests, the most fitting first. A new suggestion is one entry here and its sentence,
 * `suggest.` and its `says`, in every language.
 *
 * What was measured is copied from a table of benches/reports: the top-1 accuracy without and with the recipe as a
 * fraction, or the AUROC that tells photos of something else apart.
 */

/** Suggestions at once: more are no help. */
const MOST = 4;

/**
 * What a reader has.
 *
 * @typedef {object} Having
 * @property {number} names class names
 * @property {number} fewest photos of the class that has the fewest of those that have any; 0: none has
 * @property {number} photos in Look, without labels
 * @property {number} pairs of classes that are confused
 * @property {boolean} rejects whether photos of something else are to be rejected
 */

/**
 * @typedef {object} Measured
 * @property {string} report its file's name in benches/reports
 * @property {"mini" | "mini-vit"} model
 * @property {number} [photos] of each class
 * @property {"accuracy" | "auroc"} [of]
 * @property {{set: string, before: number, after: number}[]} figures
 */

/**
 * @typedef {object} Suggestion
 * @property {string} recipe
 * @property {Record<string, string>} [set] parameters of the recipe
 * @property {"pairs"} [at] where it begins, if not with the photos to learn from
 * @property {(having: Having) => boolean} when
 * @property {string} says
 * @property {Measured | null} measured `null`: there is no table
 */

/** @type {Suggestion[]} */
export const SUGGESTIONS = [
  {
    recipe: "kgcoop",
    when: ({ fewest }) => fewest >= 1 && fewest <= 4,
    says: "few",
    measured: { report: "2026-11-30-published-settings", model: "mini", photos: 4, figures: [{ set: "flowers", before: 0.84, after: 0.845 }] },
  },
  {
    recipe: "taskres",
    when: ({ fewest }) => fewest >= 5,
    says: "more",
    measured: {
      report: "2026-11-30-recipes",
      model: "mini",
      photos: 16,
      figures: [
        { set: "flowers", before: 0.84, after: 0.84 },
        { set: "cifar10", before: 0.76, after: 0.763 },
      ],
    },
  },
  {
    recipe: "fudd",
    at: "pairs",
    when: ({ pairs }) => pairs > 0,
    says: "pairs",
    measured: { report: "2026-12-01-fudd", model: "mini", figures: [{ set: "flowers", before: 0.84, after: 0.568 }] },
  },
  {
    recipe: "tfup",
    // Fewer than ten change nothing.
    when: ({ photos }) => photos >= 10,
    says: "pile",
    measured: { report: "2026-11-25-recipes", model: "mini-vit", photos: 16, figures: [{ set: "flowers", before: 0.628, after: 0.628 }] },
  },
  {
    recipe: "lapt",
    when: ({ rejects }) => rejects,
    says: "foreign",
    measured: { report: "2026-11-30-rejection-rates", model: "mini", photos: 16, of: "auroc", figures: [{ set: "textures", before: 0.956, after: 0.929 }] },
  },
  {
    recipe: "locoop",
    when: ({ rejects, fewest }) => rejects && fewest >= 1,
    says: "foreign-photos",
    measured: { report: "2026-12-01-rejection-prompts", model: "mini", photos: 16, of: "auroc", figures: [{ set: "textures", before: 0.842, after: 0.799 }] },
  },
  {
    recipe: "tip-adapter",
    when: ({ fewest }) => fewest >= 1,
    says: "memory",
    measured: {
      report: "2026-11-30-recipes",
      model: "mini",
      photos: 16,
      figures: [
        { set: "flowers", before: 0.84, after: 0.835 },
        { set: "cifar10", before: 0.76, after: 0.774 },
      ],
    },
  },
  {
    recipe: "templates",
    set: { set: "clip7" },
    when: ({ names, fewest }) => names >= 2 && fewest === 0,
    says: "names",
    measured: {
      report: "2026-12-01-templates",
      model: "mini",
      figures: [
        { set: "flowers", before: 0.84, after: 0.848 },
        { set: "cifar10", before: 0.76, after: 0.75 },
      ],
    },
  },
];

/** Whether no code of its authors says what a recipe does. Such a recipe is never suggested. */
export const afterTheIdea = ({ paper }) => /\bafter the idea of\b/i.test(paper);

/**
 * The suggestions for what there is.
 *
 * @param {Having} having
 * @param {import("../pkg/index.js").Recipe[]} recipes those of the engine
 * @returns {Suggestion[]}
 */
export function suggestionsFor(having, recipes) {
  const there = new Set(recipes.filter((recipe) => !afterTheIdea(recipe)).map(({ name }) => name));
  return SUGGESTIONS.filter(({ recipe, when }) => there.has(recipe) && when(having)).slice(0, MOST);
}
