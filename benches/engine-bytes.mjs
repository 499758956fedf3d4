#!/usr/bin/env node
// What the engine's bytes are: code by crate, as cargo built it, before wasm-bindgen and wasm-opt.
//   node benches/engine-bytes.mjs [FILE.wasm] [--top 30] [--functions 0]
// Cargo leaves the names of functions in; a function counts for the crate that its name begins with, so
// generic code counts where it is defined and not where it is used.
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { top: { type: "string", default: "30" }, functions: { type: "string", default: "0" } },
});
const target = process.env.CARGO_TARGET_DIR ?? join(homedir(), ".cache/promptlens/target");
const bytes = readFileSync(positionals[0] ?? join(target, "wasm32-unknown-unknown/web/promptlens.wasm"));

/** Reads a WebAssembly file from `at` on. */
class Reader {
  constructor(at) {
    this.at = at;
  }
  byte() {
    return bytes[this.at++];
  }
  /** An unsigned number in LEB128. */
  number() {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.byte();
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  }
  text() {
    const length = this.number();
    this.at += length;
    return bytes.toString("utf8", this.at - length, this.at);
  }
  limits() {
    const flags = this.number();
    this.number();
    if (flags & 1) this.number();
  }
}

const IMPORT = 2;
const CODE = 10;
const DATA = 11;
const CUSTOM = 0;

let imported = 0;
let data = 0;
const bodies = [];
const names = new Map();

function readImports(reader) {
  for (let left = reader.number(); left > 0; left -= 1) {
    reader.text();
    reader.text();
    const kind = reader.byte();
    if (kind === 0) imported += 1;
    if (kind === 0) reader.number();
    else if (kind === 1) (reader.byte(), reader.limits());
    else if (kind === 2) reader.limits();
    else (reader.byte(), reader.byte());
  }
}

function readNames(reader, end) {
  while (reader.at < end) {
    const kind = reader.byte();
    const next = reader.number() + reader.at;
    // The functions' names; locals and others follow.
    if (kind === 1) for (let left = reader.number(); left > 0; left -= 1) names.set(reader.number(), reader.text());
    reader.at = next;
  }
}

for (let at = 8; at < bytes.length; ) {
  const reader = new Reader(at);
  const section = reader.byte();
  const size = reader.number();
  const end = reader.at + size;
  if (section === IMPORT) readImports(reader);
  else if (section === DATA) data = size;
  else if (section === CODE) {
    for (let left = reader.number(); left > 0; left -= 1) {
      const length = reader.number();
      bodies.push(length);
      reader.at += length;
    }
  } else if (section === CUSTOM && reader.text() === "name") readNames(reader, end);
  at = end;
}

/** The crate of a function in Rust's older mangling. */
function crateOf(name) {
  const [, length, rest] = name.match(/^_ZN(\d+)(.*)/s) ?? [];
  if (!length) return name.startsWith("__wbg") || name.includes("wasm_bindgen") ? "wasm-bindgen" : "others";
  const first = rest.slice(0, Number(length));
  // `<Type as Trait>::method`: the crate of the type.
  return first.startsWith("_$LT$") ? (first.match(/([a-z_][a-z_0-9]*)\.\./)?.[1] ?? "others") : first;
}

const crates = new Map();
bodies.forEach((size, i) => {
  const crate = crateOf(names.get(i + imported) ?? "");
  const found = crates.get(crate) ?? { size: 0, functions: 0 };
  crates.set(crate, { size: found.size + size, functions: found.functions + 1 });
});
const code = bodies.reduce((sum, size) => sum + size, 0);
console.log(`code ${code} bytes in ${bodies.length} functions, data ${data} bytes`);
console.log("| crate | bytes | share of the code | functions |\n|---|--:|--:|--:|");
for (const [crate, { size, functions }] of [...crates].sort(([, a], [, b]) => b.size - a.size).slice(0, Number(options.top))) {
  console.log(`| ${crate} | ${size} | ${((100 * size) / code).toFixed(1)} % | ${functions} |`);
}
const largest = bodies.map((size, i) => [size, names.get(i + imported) ?? "?"]).sort(([a], [b]) => b - a);
for (const [size, name] of largest.slice(0, Number(options.functions))) console.log(`${size} ${name}`);
