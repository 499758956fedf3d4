#!/usr/bin/env node
// What `npm pack` in pkg/ does first: the engine must be built, and the licences come along.
import { existsSync } from "node:fs";
import { copyFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
for (const file of ["promptlens.js", "promptlens_bg.wasm"]) {
  if (!existsSync(join(root, "pkg", file))) {
    console.error(`error: pkg/${file} is missing; run scripts/build-web.sh --package`);
    process.exit(1);
  }
}
// Kept once, at the root; npm packs no links.
for (const file of ["LICENSE", "LICENSE-APACHE", "LICENSE-MIT"]) await copyFile(join(root, file), join(root, "pkg", file));
