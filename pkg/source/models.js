/* The models that this browser stores: the list, the room that they take, and deleting them. */
import { PromptLensError } from "../error.js";
import { openStorage } from "../storage/storage.js";
import { dropPin, ModelStore, lockName, PINS, RECORD } from "./model_store.js";

/**
 * The models that this browser keeps for this site.
 *
 * @type {import("../index.js").Models["stored"]}
 */
export async function stored() {
  const storage = await openStorage();
  if (!storage) return [];
  const folders = new Map();
  for (const { folder, bytes } of await storage.list()) {
    if (folder !== PINS) folders.set(folder, (folders.get(folder) ?? 0) + bytes);
  }
  const models = [];
  for (const [id, bytes] of folders) {
    const record = await new ModelStore(storage, id).record();
    const { address = null, name = null, quantization = null, source = null, created = null } = record ?? {};
    models.push({ id, complete: record !== null, bytes, address, name, quantization, source, created });
  }
  return models.sort((a, b) => (a.name ?? "").localeCompare(b.name ?? "") || a.id.localeCompare(b.id));
}

/**
 * The files of a kept model, as a server would have them in one folder.
 *
 * @type {import("../index.js").Models["files"]}
 */
export async function files(id) {
  const storage = await openStorage();
  const store = storage && new ModelStore(storage, id);
  if (!(await store?.record())) throw new PromptLensError("weights/missing", "This browser keeps no such model. Load it first.");
  const found = [];
  for (const { folder, file } of await storage.list()) {
    if (folder !== id || file === RECORD) continue;
    const bytes = await store.read(file);
    if (bytes) found.push({ name: file, blob: new Blob([bytes]) });
  }
  return found;
}

/**
 * Deletes a kept model, or the pieces of an unfinished download.
 *
 * @type {import("../index.js").Models["delete"]}
 */
export async function remove(id, { forget = false } = {}) {
  const storage = await openStorage();
  if (!storage) return;
  const work = async () => {
    const record = await new ModelStore(storage, id).record();
    await storage.clear(id);
    if (forget && record) await dropPin(storage, record.address);
  };
  if (!globalThis.navigator?.locks) return work();
  await navigator.locks.request(lockName(id), { ifAvailable: true }, (lock) => {
    if (!lock) throw new PromptLensError("store/busy", "This model is being loaded. Wait for that, or cancel it.");
    return work();
  });
}

/** @type {import("../index.js").Models["usage"]} */
export async function usage() {
  const storage = await openStorage();
  const estimate = (await navigator.storage?.estimate?.().catch(() => null)) ?? {};
  const persisted = (await navigator.storage?.persisted?.().catch(() => false)) ?? false;
  return { kind: storage?.kind ?? null, used: estimate.usage ?? null, quota: estimate.quota ?? null, persisted };
}
