/** Class lists for one purpose, and what a prompt changes in the answers for some photos. */

/**
 * What `use` makes of a class list, which is gone afterwards.
 *
 * @template T
 * @param {import("../pkg/index.js").PromptLens} lens
 * @param {string[]} names
 * @param {import("../pkg/index.js").ClassesOptions} options
 * @param {(classes: import("../pkg/index.js").Classes) => Promise<T>} use
 * @returns {Promise<T>}
 */
export async function withClasses(lens, names, options, use) {
  const classes = await lens.classes(names, options);
  try {
    return await use(classes);
  } finally {
    classes.free();
  }
}

/**
 * The best answer for each file without and with a prompt. A file that cannot be read says so.
 *
 * @param {import("../pkg/index.js").PromptLens} lens
 * @param {string[]} names
 * @param {import("../pkg/index.js").ClassesOptions} options
 * @param {File[]} files
 * @param {import("../pkg/index.js").Prompt} prompt
 */
export function compare(lens, names, options, files, prompt) {
  // A prompt from a file may serve no other names than its own.
  const own = prompt.report ? names : prompt.labels;
  return withClasses(lens, names, options, (plain) =>
    withClasses(lens, own, { ...options, prompt }, async (taught) => {
      const found = [];
      for (const file of files) {
        try {
          const best = async (of) => (await of.classify(file, { ood: false, signal: options.signal })).predictions[0];
          found.push({ name: file.name, before: await best(plain), after: await best(taught) });
        } catch (error) {
          if (!error.code?.startsWith("image/")) throw error;
          found.push({ name: file.name, error });
        }
      }
      return found;
    }),
  );
}
