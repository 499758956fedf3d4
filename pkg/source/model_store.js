/*
 * What is kept of models: one folder per model and quantization, holding a packed model once its
 * `record.json` is there, and pieces of an unfinished download until then.
 */
import { cancelled } from "../error.js";
import { sha256Of } from "./sha256.js";

/** What marks a folder as a complete model. */
export const RECORD = "record.json";
/** The folder of pins: commit and hashes of each repository at its first download. */
export const PINS = "pins";

/** Bytes of a piece of an unfinished download. */
export const PIECE = 4 * 1024 * 1024;

const encode = (value) => new TextEncoder().encode(JSON.stringify(value));

function decode(bytes) {
  try {
    return bytes && JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return null;
  }
}

/** A short name for a text. */
const digest = async (text) => (await sha256Of(text)).slice(0, 32);

/** The folder that a model at `address` in the form `quantization` is stored in. */
export const identity = (address, quantization) => digest(`${address}\n${quantization ?? "as stored"}`);

/** The lock of a model among all tabs. */
export const lockName = (id) => `promptlens:${id}`;

/** Runs `work` while no other tab works on the same model; calls `waiting` if one does. */
export async function locked(id, signal, waiting, work) {
  if (!globalThis.navigator?.locks) return work();
  const name = lockName(id);
  const free = await navigator.locks.request(name, { ifAvailable: true }, async (lock) => lock && { value: await work() });
  if (free) return free.value;
  waiting();
  try {
    return await navigator.locks.request(name, { signal }, work);
  } catch (error) {
    throw error?.name === "AbortError" ? cancelled() : error;
  }
}

/** One model's folder. */
export class ModelStore {
  /** @param {import("../storage/storage.js").FileStorage} storage */
  constructor(storage, id) {
    this.storage = storage;
    this.id = id;
  }

  read(file) {
    return this.storage.read(this.id, file);
  }

  write(file, bytes) {
    return this.storage.write(this.id, file, bytes);
  }

  drop(file) {
    return this.storage.drop(this.id, file);
  }

  clear() {
    return this.storage.clear(this.id);
  }

  /** The record of a complete model; `null` before that. */
  async record() {
    const record = decode(await this.read(RECORD));
    return record?.version === 1 ? record : null;
  }

  /** Marks the stored files as a complete model. */
  writeRecord(record) {
    return this.write(RECORD, encode({ version: 1, ...record }));
  }

  /** How far an unfinished download is: the version it is of, and its whole pieces in order. */
  async unfinished(file) {
    const note = decode(await this.read(`${file}.part`));
    if (!note) return null;
    const lengths = new Map((await this.storage.list()).filter(({ folder }) => folder === this.id).map((f) => [f.file, f.bytes]));
    let pieces = 0;
    while (lengths.get(this.pieceName(file, pieces)) === PIECE) pieces += 1;
    return { version: note, pieces };
  }

  pieceName(file, index) {
    return `${file}.part${index}`;
  }

  async note(file, version) {
    await this.write(`${file}.part`, encode(version));
  }

  /** Forgets every unfinished download. */
  async dropUnfinished() {
    for (const { folder, file } of await this.storage.list()) {
      if (folder === this.id && /\.part\d*$/.test(file)) await this.drop(file);
    }
  }
}

/** What is pinned for an address: `{commit, files}`, or `null`. */
export async function readPin(storage, address) {
  return decode(await storage.read(PINS, `${await digest(address)}.json`));
}

export async function writePin(storage, address, pin) {
  await storage.write(PINS, `${await digest(address)}.json`, encode({ address, ...pin }));
}

export async function dropPin(storage, address) {
  await storage.drop(PINS, `${await digest(address)}.json`);
}
