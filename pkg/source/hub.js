/*
 * Repositories on the Hugging Face hub. A browser follows the redirect of a large file without
 * showing the page its headers (x-repo-commit, x-linked-etag), so the same two facts are asked of
 * the hub's interface instead: the commit of a revision, and the SHA-256 of each large file.
 */
import { PromptLensError } from "../error.js";
import { whole } from "./download.js";
import { failed } from "./http.js";

export const HUB = "https://huggingface.co";
const LIMIT = 16 * 1024 * 1024;

/**
 * @typedef {object} Repository
 * @property {string} repository
 * @property {string} commit
 * @property {string} base address of the folder's files at that commit
 * @property {Map<string, {sha256: string | null, bytes: number | null}>} files
 */

/**
 * What the hub says of a folder of a repository.
 *
 * @param {import("./name.js").Reference} reference
 * @returns {Promise<Repository>}
 */
export async function describe({ repository, revision, folder = "" }, hub, how) {
  const address = `${hub}/api/models/${repository}/revision/${encodeURIComponent(revision)}?blobs=true`;
  const none = () => new PromptLensError("weights/missing", `The hub has no ${repository} at ${revision}, or it is private or gated; nobody can be signed in here.`);
  const bytes = await whole(address, { ...how, hub: true, limit: LIMIT }).catch((error) => {
    // The hub answers so to anybody who is not signed in, in all three cases.
    throw error.status === 401 ? none() : error;
  });
  if (!bytes) throw none();
  let answer;
  try {
    answer = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw failed(address, "the answer is no JSON");
  }
  const { sha: commit, siblings, gated } = answer ?? {};
  if (!/^[0-9a-f]{40}$/.test(commit) || !Array.isArray(siblings)) {
    throw failed(address, "the answer names no commit and files");
  }
  if (gated) {
    const ways = "download its files in a browser that is signed in, and choose their folder here";
    throw new PromptLensError("weights/missing", `${repository} is gated: the hub gives its files only to people who accepted its terms; ${ways}.`);
  }
  const inside = folder ? `${folder}/` : "";
  const files = new Map();
  for (const { rfilename, size, lfs } of siblings) {
    const sha256 = /^[0-9a-f]{64}$/.test(lfs?.sha256) ? lfs.sha256 : null;
    if (!rfilename.startsWith(inside)) continue;
    files.set(rfilename.slice(inside.length), { sha256, bytes: Number.isSafeInteger(size) ? size : null });
  }
  return { repository, commit, base: `${hub}/${repository}/resolve/${commit}/${inside}`, files };
}
