/* Finds the files of a model: by its address, the hub's answer, and what was pinned before. */
import { PromptLensError } from "../error.js";
import { describe } from "./hub.js";
import { readName } from "./name.js";

/**
 * @typedef {object} Wanted a folder of a repository that may hold the model
 * @property {string} repository `owner/name`
 * @property {string} revision
 * @property {string} [folder]
 * @property {string | null} file the weights file; `null`: any
 */

/**
 * @typedef {object} Place
 * @property {string} base address of the folder that the files are in
 * @property {string | null} repository `null`: not on the hub
 * @property {string | null} commit
 * @property {Map<string, {sha256: string | null, bytes: number | null}> | null} files `null`: the
 *   server has no list of them
 * @property {string | null} weightsFile `null`: look for one
 */

/**
 * The repositories to try in turn for a model; none: its address is that of a folder.
 *
 * @param {string | import("../index.js").ModelEntry} model
 * @returns {Wanted[]}
 */
export function repositoriesOf(model) {
  if (typeof model !== "string") return model.sources.map(({ repository, file }) => ({ repository, revision: "main", file }));
  const named = readName(model);
  return named.kind === "hub" ? [{ ...named.reference, file: null }] : [];
}

/**
 * @param {string} address
 * @param {Wanted[]} repositories
 * @param {object} how
 * @param {string} how.hub
 * @param {{repository: string, commit: string, files: Record<string, string>} | null} how.pin the
 *   commit and hashes of the first download, which hold from then on
 * @param {import("./download.js").How} how.request
 * @returns {Promise<Place>}
 */
export async function locate(address, repositories, { hub, pin, request }) {
  if (repositories.length === 0) return { base: address, repository: null, commit: null, files: null, weightsFile: null };
  let problem = null;
  for (const { repository, revision, folder, file } of repositories) {
    if (pin && pin.repository !== repository) continue;
    try {
      const { base, commit, files } = await describe({ repository, revision: pin?.commit ?? revision, folder }, hub, request);
      if (file && !files.has(file)) throw new PromptLensError("weights/missing", `${repository} has no ${file}.`);
      for (const [name, sha256] of Object.entries(pin?.files ?? {})) files.set(name, { bytes: null, ...files.get(name), sha256 });
      return { base, repository, commit, files, weightsFile: file };
    } catch (error) {
      if (error.code !== "weights/missing") throw error;
      problem = error;
    }
  }
  throw problem ?? new PromptLensError("weights/missing", "No repository of this model could be found.");
}
