#!/usr/bin/env node
// What `npm pack` in pkg/ does first: the engine must be built, the licences come along, and
// integrity.json tells the hash of every file that a browser loads, for `integrity` attributes.
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { copyFile, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const pkg = join(root, "pkg");
for (const file of ["promptlens.js", "promptlens_bg.wasm"]) {
  if (!existsSync(join(pkg, file))) {
    console.error(`error: pkg/${file} is missing; run scripts/build-web.sh --package`);
    process.exit(1);
  }
}
// Kept once, at the root; npm packs no links.
for (const file of ["LICENSE", "LICENSE-APACHE", "LICENSE-MIT"]) await copyFile(join(root, file), join(pkg, file));

const integrity = {};
const files = (await readdir(pkg, { recursive: true })).map((path) => path.replaceAll("\\", "/"));
for (const path of files.filter((name) => /\.(js|wasm)$/.test(name)).sort()) {
  const hash = createHash("sha384").update(await readFile(join(pkg, path))).digest("base64");
  integrity[path] = `sha384-${hash}`;
}
await writeFile(join(pkg, "integrity.json"), `${JSON.stringify(integrity, null, 2)}\n`);
