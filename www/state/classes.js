/** Class lists that serve one call, and what a prompt changes in the answers for some photos. */

/**
 * Makes a class list for `use`, and frees it afterwards.
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
 * The best answer for each file without and with a prompt. A file that cannot be read has an `error` instead.
 *
 * @param {import("../pkg/index.js").PromptLens} lens
 * @param {string[]} names
 * @param {import("../pkg/index.js").ClassesOptions} options
 * @param {File[]} files
 * @param {import("../pkg/index.js").Prompt} prompt
 */
export function compare(lens, names, options, files, prompt) {
  // A prompt from a file may work for its own names only.
  const own = prompt.report ? names : prompt.labels;
  return withClasses(lens, names, options, (plain) =>
    withClasses(lens, own, { ...options, prompt }, async (learned) => {
      const found = [];
      for (const file of files) {
        try {
          const best = async (of) => (await of.classify(file, { ood: false, signal: options.signal })).predictions[0];
          found.push({ name: file.name, before: await best(plain), after: await best(learned) });
        } catch (error) {
          if (!error.code?.startsWith("image/")) throw error;
          found.push({ name: file.name, error });
        }
      }
      return found;
    }),
  );
}
