#!/usr/bin/env node
// Makes a wasm file export its externref table again, in place.
//   node scripts/fix-table-export.mjs FILE.wasm
//
// Binaryen 108, which Debian 12 has, writes index 0 for every exported table; table 0 holds
// functions, and wasm-bindgen's glue then fails to put objects into it. Newer versions write the
// right index, and the file stays as it is.
import { readFileSync, writeFileSync } from "node:fs";
import { argv, exit } from "node:process";

const NAME = "__wbindgen_externrefs";
const EXTERNREF = 0x6f;
const SECTION = { import: 2, table: 4, export: 7 };
const KIND = { function: 0, table: 1, memory: 2, global: 3, tag: 4 };

/** A cursor over the bytes of a module. */
class Reader {
  constructor(bytes, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }

  byte() {
    return this.bytes[this.at++];
  }

  /** Unsigned LEB128. */
  unsigned() {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.byte();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  }

  name() {
    const length = this.unsigned();
    this.at += length;
    return this.bytes.toString("utf8", this.at - length, this.at);
  }

  limits() {
    const flags = this.byte();
    this.unsigned();
    if (flags & 1) this.unsigned();
  }

  /** The element type of a table type. */
  table() {
    const type = this.byte();
    this.limits();
    return type;
  }
}

/** The element type of every imported table, in order. */
function importedTables(reader) {
  const tables = [];
  for (let count = reader.unsigned(); count > 0; count--) {
    reader.name();
    reader.name();
    const kind = reader.byte();
    if (kind === KIND.function) reader.unsigned();
    else if (kind === KIND.table) tables.push(reader.table());
    else if (kind === KIND.memory) reader.limits();
    else if (kind === KIND.global) reader.at += 2;
    else throw new Error(`import of unknown kind ${kind}`);
  }
  return tables;
}

/** Corrects `bytes`; returns whether anything had to be. */
function fix(bytes) {
  const tables = [];
  const reader = new Reader(bytes, 8);
  while (reader.at < bytes.length) {
    const id = reader.byte();
    const size = reader.unsigned();
    const next = reader.at + size;
    if (id === SECTION.import) tables.push(...importedTables(reader));
    if (id === SECTION.table) {
      for (let count = reader.unsigned(); count > 0; count--) tables.push(reader.table());
    }
    if (id === SECTION.export) {
      for (let count = reader.unsigned(); count > 0; count--) {
        const name = reader.name();
        const kind = reader.byte();
        const at = reader.at;
        const index = reader.unsigned();
        if (kind !== KIND.table || name !== NAME) continue;
        const right = tables.indexOf(EXTERNREF);
        if (right < 0 || right > 0x7f || reader.at !== at + 1) throw new Error(`${NAME}: no externref table to export`);
        bytes[at] = right;
        return tables[index] !== EXTERNREF;
      }
    }
    reader.at = next;
  }
  return false;
}

const [, , path] = argv;
const bytes = readFileSync(path);
if (fix(bytes)) writeFileSync(path, bytes);
if (!WebAssembly.validate(bytes)) {
  console.error(`error: ${path} is not a valid module`);
  exit(1);
}
