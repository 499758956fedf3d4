#!/usr/bin/env node
// Prints the version, which Cargo.toml has; fails if a file that repeats it has another.
//   node scripts/version.mjs           0.2.0
//   node scripts/version.mjs --notes   what CHANGELOG.md says of it
import { readFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "..");

/** The version of every file that states it, by its path under `root`. */
export async function versions(root = ROOT) {
  const text = (path) => readFile(join(root, path), "utf8");
  const locked = (lock) => /\nname = "promptlens"\nversion = "([^"]+)"/.exec(lock)?.[1];
  return {
    "Cargo.toml": /^version = "([^"]+)"$/m.exec(await text("Cargo.toml"))?.[1],
    "Cargo.lock": locked(await text("Cargo.lock")),
    "fuzz/Cargo.lock": locked(await text("fuzz/Cargo.lock")),
    "pkg/package.json": JSON.parse(await text("pkg/package.json")).version,
  };
}

/** What CHANGELOG.md says of a version; fails if it has no section of it. */
export async function notes(version, root = ROOT) {
  const sections = (await readFile(join(root, "CHANGELOG.md"), "utf8")).split(/^## /m);
  const section = sections.find((part) => part.startsWith(`${version} - `));
  if (!section) throw new Error(`CHANGELOG.md has no section "## ${version} - DATE"`);
  return `${section.slice(section.indexOf("\n")).trim()}\n`;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  try {
    const all = await versions();
    const { "Cargo.toml": version, ...others } = all;
    for (const [path, other] of Object.entries(others)) {
      if (other !== version) throw new Error(`${path} says ${other}, Cargo.toml says ${version}`);
    }
    const text = await notes(version);
    process.stdout.write(process.argv[2] === "--notes" ? text : `${version}\n`);
  } catch (error) {
    console.error(`error: ${error.message}`);
    process.exit(1);
  }
}
