#!/usr/bin/env node
// The size of what <prompt-lens> loads from the built package, as a host sends it with gzip. Its model comes on top.
//   node scripts/widget-size.mjs [--json]
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join, posix, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzip } from "node:zlib";

const PKG = resolve(dirname(fileURLToPath(import.meta.url)), "../pkg");
const ENGINE = "promptlens_bg.wasm";

/** `entry` and every module that it imports, directly or not. */
async function modulesOf(folder, entry) {
  const found = new Set();
  const waiting = [entry];
  while (waiting.length > 0) {
    const path = waiting.pop();
    if (found.has(path)) continue;
    found.add(path);
    const source = await readFile(join(folder, path), "utf8");
    for (const [, name] of source.matchAll(/(?:\bfrom|^import)\s*"(\.[^"]+\.js)"/gm)) waiting.push(posix.join(posix.dirname(path), name));
  }
  return [...found];
}

/**
 * What a page with the widget loads: the modules of the page and of the worker, and the engine.
 *
 * @param {string} [folder] of the package
 * @returns {Promise<{what: string, files: string[], bytes: number, gzip: number}[]>}
 */
export async function widgetSize(folder = PKG) {
  const page = await modulesOf(folder, "element.js");
  const worker = (await modulesOf(folder, "worker.js")).filter((path) => !page.includes(path));
  const parts = [["page", page], ["worker", worker], ["engine", [ENGINE]]];
  return Promise.all(
    parts.map(async ([what, files]) => {
      const contents = await Promise.all(files.map((path) => readFile(join(folder, path))));
      const packed = await Promise.all(contents.map((content) => promisify(gzip)(content, { level: 9 })));
      const sum = (all) => all.reduce((total, { length }) => total + length, 0);
      return { what, files: files.sort(), bytes: sum(contents), gzip: sum(packed) };
    }),
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (!existsSync(join(PKG, ENGINE))) {
    console.error(`error: pkg/${ENGINE} is missing; run scripts/build-web.sh --package`);
    process.exit(1);
  }
  const parts = await widgetSize();
  if (process.argv.includes("--json")) console.log(JSON.stringify(parts));
  else {
    const row = (what, files, bytes, packed) => console.log(`${what.padEnd(8)}${String(files).padStart(6)}${String(bytes).padStart(11)}${String(packed).padStart(11)}`);
    row("", "files", "bytes", "gzip");
    for (const { what, files, bytes, gzip: packed } of parts) row(what, files.length, bytes, packed);
    const total = (key) => parts.reduce((sum, part) => sum + (key === "files" ? part.files.length : part[key]), 0);
    row("all", total("files"), total("bytes"), total("gzip"));
  }
}
