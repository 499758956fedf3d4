#!/usr/bin/env node
// Writes into a built site's sw.js which files it consists of, with their hashes.
//   node scripts/precache.mjs [dist]
// Trunk runs it after assembling the site; there TRUNK_STAGING_DIR names the folder.
import { createHash } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { pathToFileURL } from "node:url";

const PLACE = "const FILES = {};";

/** Files about models, which some hosts turn into something else or leave out: kept if they come as they are. */
const DOCUMENTS = [/\.md$/, /^models\//];
/** Files that are kept when they are first used: never a part of installing. */
const LATER = [/\.wasm$/];
/** Files that a visit does not need, and those of models, which the engine keeps in its own store; what tells about the built-in one stays. */
const NEVER = [/^sw\.js$/, /^models\/(?!mini\/(labels\.json|README\.md)$)/, /\.d\.ts$/, /^(?!models\/).*\.md$/, /^pkg\/(package\.json|integrity\.json|LICENSE.*|\.gitignore)$/, /^screenshots\//, /^docs\//];

/** When a file is kept: the first list that it is in decides. */
const kind = (path) => {
  const is = (patterns) => patterns.some((pattern) => pattern.test(path));
  return is(DOCUMENTS) ? "document" : is(LATER) ? "later" : "shell";
};

/** Path -> [SHA-256, "shell" | "document" | "later"] of everything under `folder` that the site keeps. */
export async function siteFiles(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath ?? entry.path, entry.name)).split(sep).join("/"))
    .filter((path) => !NEVER.some((pattern) => pattern.test(path)))
    .sort();
  const files = {};
  for (const path of paths) {
    const hash = createHash("sha256").update(await readFile(join(folder, path))).digest("hex");
    files[path] = [hash, kind(path)];
  }
  return files;
}

export async function precache(folder) {
  const worker = join(folder, "sw.js");
  const source = await readFile(worker, "utf8");
  if (!source.includes(PLACE)) throw new Error(`${worker} has no "${PLACE}" to fill in`);
  const files = await siteFiles(folder);
  await writeFile(worker, source.replace(PLACE, () => `const FILES = ${JSON.stringify(files, null, 2)};`));
  return files;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const files = await precache(process.argv[2] ?? process.env.TRUNK_STAGING_DIR ?? "dist");
  const count = (kind) => Object.values(files).filter(([, when]) => when === kind).length;
  console.log(`service worker: ${count("shell")} files of the shell, ${count("document")} documents, ${count("later")} kept when first used`);
}
