/*
 * Repositories on the Hugging Face hub. A browser follows the redirect of a large file without
 * showing the page its headers (x-repo-commit, x-linked-etag), so the same two facts are asked of
 * the hub's interface instead: the commit of a revision, and the SHA-256 of each large file.
 */
import { PromptLensError } from "../error.js";
import { failed, whole } from "./download.js";

export const HUB = "https://huggingface.co";
const LIMIT = 16 * 1024 * 1024;

/**
 * @typedef {object} Repository
 * @property {string} repository
 * @property {string} commit
 * @property {string} base address of its files at that commit
 * @property {Map<string, {sha256: string | null, bytes: number | null}>} files
 */

/** `owner/name` and revision of `hf:owner/name@revision`; `null` for another address. */
export function parseHub(text) {
  if (!text.startsWith("hf:")) return null;
  const [, repository, revision = "main"] = /^hf:([\w-][\w.-]*\/[\w-][\w.-]*?)(?:@([\w./-]+))?$/.exec(text) ?? [];
  if (!repository || revision.includes("..")) {
    throw new PromptLensError("options/invalid", `${text} is no repository: write hf:owner/name or hf:owner/name@revision.`);
  }
  return { repository, revision };
}

/** @returns {Promise<Repository>} */
export async function describe({ repository, revision }, hub, how) {
  const address = `${hub}/api/models/${repository}/revision/${encodeURIComponent(revision)}?blobs=true`;
  const bytes = await whole(address, { ...how, limit: LIMIT });
  if (!bytes) throw new PromptLensError("weights/missing", `The hub has no ${repository} at ${revision}.`);
  let answer;
  try {
    answer = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw failed(address, "the answer is no JSON");
  }
  const { sha: commit, siblings } = answer ?? {};
  if (!/^[0-9a-f]{40}$/.test(commit) || !Array.isArray(siblings)) {
    throw failed(address, "the answer names no commit and files");
  }
  const files = new Map();
  for (const { rfilename, size, lfs } of siblings) {
    const sha256 = /^[0-9a-f]{64}$/.test(lfs?.sha256) ? lfs.sha256 : null;
    files.set(rfilename, { sha256, bytes: Number.isSafeInteger(size) ? size : null });
  }
  return { repository, commit, base: `${hub}/${repository}/resolve/${commit}/`, files };
}
