/*
 * What people type for a model: an address, or a repository of the Hugging Face hub in any of the
 * forms that its pages show. This only reads the text; it makes no request.
 */
import { PromptLensError } from "../error.js";

/** The hub's own pages. */
const HOSTS = /^(?:https?:\/\/)?(?:www\.)?(?:huggingface\.co|hf\.co)(?=\/|$)/i;
const PREFIX = /^hf:\s*(?:\/\/)?/i;
const PART = /^[\w-][\w.-]*$/;
const REVISION = /^[\w][\w.-]*(?:\/[\w][\w.-]*)*$/;
/** Pages of the hub that show files of a repository. */
const VIEWS = ["tree", "blob", "resolve", "raw"];
/** First parts of the hub's addresses that are not owners. */
const NO_OWNER = ["datasets", "spaces", "collections", "docs", "papers", "api", "models"];

const FORMS = "Write hf:owner/name, hf:owner/name/folder or hf:owner/name@revision.";

/**
 * @typedef {object} Reference a folder of a repository at a revision
 * @property {string} repository `owner/name`
 * @property {string} revision
 * @property {string} folder inside the repository; empty for all of it
 */

/**
 * What a text names: a repository of the hub, a plain address, or `owner/name` alone, which is both
 * a repository and a folder beside the page.
 *
 * @param {string} text
 * @returns {{kind: "hub" | "bare", reference: Reference} | {kind: "address", address: string}}
 */
export function readName(text) {
  const typed = text.trim();
  const named = PREFIX.test(typed);
  const rest = typed.replace(PREFIX, "");
  if (HOSTS.test(rest)) return { kind: "hub", reference: ofPage(rest.replace(HOSTS, ""), typed) };
  if (named) return { kind: "hub", reference: ofName(rest, typed) };
  const parts = typed.split("/");
  const bare = parts.length === 2 && parts.every((part) => PART.test(part)) && !/\.\w+$/.test(parts[0]);
  if (bare) return { kind: "bare", reference: { repository: typed, revision: "main", folder: "" } };
  return { kind: "address", address: typed };
}

/** `hf:owner/name/folder@revision`, without what is left out by default. */
export function hubName({ repository, revision, folder }) {
  return `hf:${repository}${folder ? `/${folder}` : ""}${revision === "main" ? "" : `@${revision}`}`;
}

/** `owner/name/folder@revision`. */
function ofName(text, typed) {
  const [path, ...more] = text.split("@");
  const revision = more.length === 0 ? "main" : more.join("@");
  return checked(path.split("/").filter(Boolean), revision, typed);
}

/** The path of an address of the hub: `/owner/name`, `/owner/name/tree/revision/folder`. */
function ofPage(path, typed) {
  let parts;
  try {
    parts = decodeURIComponent(path.replace(/[?#].*$/s, "")).split("/").filter(Boolean);
  } catch {
    throw refused(typed);
  }
  if (parts.length > 1 && NO_OWNER.includes(parts[0])) {
    throw new PromptLensError("options/invalid", `${shown(typed)} is no model of the hub but one of its ${parts[0]}. ${FORMS}`);
  }
  const [owner, name, view, ...inside] = parts;
  if (view === undefined) return checked([owner, name], "main", typed);
  if (!VIEWS.includes(view) || inside.length === 0) {
    // Other pages of a repository: its discussions, its commits.
    if (["discussions", "commits", "blame", "settings"].includes(view)) return checked([owner, name], "main", typed);
    throw refused(typed);
  }
  // The only revisions with slashes that the hub's pages show.
  const revision = inside.splice(0, inside[0] === "refs" ? 3 : 1).join("/");
  if (view !== "tree") inside.pop();
  return checked([owner, name, ...inside], revision, typed);
}

function checked([owner, name, ...folders], revision, typed) {
  const sound = [owner, name, ...folders].every((part) => part !== undefined && PART.test(part));
  if (!sound || !REVISION.test(revision) || revision.includes("..")) throw refused(typed);
  return { repository: `${owner}/${name}`, revision, folder: folders.join("/") };
}

const shown = (typed) => (typed.length > 100 ? `${typed.slice(0, 100)}…` : typed);

function refused(typed) {
  return new PromptLensError("options/invalid", `${shown(typed)} names no repository. ${FORMS}`);
}
