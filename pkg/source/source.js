/*
 * The source that the engine loads a model from. What serves is chosen once per load: files that the
 * user picked, the stored model, or the network.
 */
import { openStorage } from "../storage/storage.js";
import { HUB } from "./hub.js";
import { ask, failed, sameVersion } from "./http.js";
import { LocalModel } from "./local.js";
import { locate, repositoriesOf } from "./locate.js";
import { identity, locked, ModelStore, readPin } from "./model_store.js";
import { RemoteModel } from "./remote.js";
import { StoredModel } from "./stored.js";

/** Codes of errors that say the bytes are wrong; none of them stay stored. */
const WRONG_BYTES = /^(weights|config|tokenizer)\//;
/** Loads that start over when the model changes on its server meanwhile. */
const RESTARTS = 2;

/**
 * @typedef {object} How
 * @property {AbortSignal} [signal]
 * @property {(event: object) => void} progress
 */

/**
 * What serves a model; `LocalModel`, `StoredModel` and `RemoteModel` are the three.
 *
 * @typedef {object} Model
 * @property {string} base address of the model, for messages
 * @property {{kept: boolean, reason: string | null}} store whether it is stored, and why not
 * @property {boolean} keeps whether a pack made of it is to be stored
 * @property {() => string | null} weightsFile the weights file; `null`: look for one
 * @property {(name: string) => Promise<Uint8Array | null>} readFile a small file; `null`: there is none
 * @property {(name: string, again: boolean) => Promise<Uint8Array>} readChunk a chunk of a pack;
 *   `again`: what came before was damaged
 * @property {(name: string) => Promise<boolean>} has
 * @property {(name: string, peek: boolean) => Promise<boolean>} open starts on a weights file; false:
 *   there is none. `peek`: only its beginning is read, which is no progress
 * @property {() => Promise<Uint8Array | null>} next the next bytes of that file; `null` at its end
 * @property {(name: string, bytes: Uint8Array) => Promise<void>} keep stores a chunk of the pack
 * @property {(manifest: string | null, sha256: string) => Promise<void>} finish the weights are read and
 *   sound. `manifest` of the pack that was made; `null`: the model came packed. `sha256` of the weights
 *   file, or, of several, of the list of theirs
 * @property {() => void} close
 */

/**
 * Runs `load` with a source for `model`, while no other tab loads the same one.
 *
 * @template T
 * @param {any} model address, `hf:` name, table entry, folder handle, or files
 * @param {any} options
 * @param {How} how
 * @param {(source: Source) => Promise<T>} load
 * @returns {Promise<T>}
 */
export async function withSource(model, options, how, load) {
  if (typeof model !== "string" && !model.sources) {
    const local = new LocalModel(model, how.progress);
    return load(new Source(local.name, async () => local));
  }
  const storage = options.store === false ? null : await openStorage();
  const address = typeof model === "string" ? model : `hf:${model.repository}`;
  const name = typeof model === "string" ? (address.split(/[/:]/).filter(Boolean).at(-1) ?? "") : model.name;
  const id = storage ? await identity(address, options.quantization) : "";
  const store = storage && new ModelStore(storage, id);
  const run = async () => {
    for (let restarts = 0; ; restarts += 1) {
      const source = new Source(name, () => choose(model, { address, name, store }, options, how));
      try {
        const result = await load(source);
        source.close();
        return result;
      } catch (error) {
        source.close();
        if (store) await discard(store, error?.code ?? "");
        if (error?.code !== "store/stale") throw error;
        if (restarts >= RESTARTS) throw failed(source.base, "it changes while it is being read");
      }
    }
  };
  const waiting = () => how.progress({ stage: "waiting", loaded: 0, total: null, source: "cache" });
  return storage ? locked(id, how.signal, waiting, run) : run();
}

/**
 * The stored model if it is what the server has, else the network.
 *
 * @param {string | import("../index.js").ModelEntry} model
 * @param {{address: string, name: string, store: ModelStore | null}} known
 * @param {any} options
 * @param {How} how
 * @returns {Promise<Model>}
 */
export async function choose(model, { address, name, store }, options, { signal, progress }) {
  const repositories = repositoriesOf(model);
  const record = (await store?.record()) ?? null;
  if (record) {
    // A commit never changes, so the hub is not asked.
    const current = repositories.length > 0 || (await isCurrent(record, address, signal));
    if (current) return new StoredModel(store, record, address, progress);
    await store.clear();
  }
  const onWait = (seconds) => progress({ stage: "limited", loaded: 0, total: null, source: "network", secondsLeft: seconds });
  const request = { signal, patience: options.patience, onWait };
  const hub = (options.hub ?? HUB).replace(/\/$/, "");
  const pin = repositories.length > 0 && store ? await readPin(store.storage, address) : null;
  const place = await locate(address, repositories, { hub, pin, request });
  const unstored = options.store === false ? "off" : "unavailable";
  return new RemoteModel(place, { address, name, store, reason: store ? null : unstored, request, progress });
}

/** Whether the stored files are those of the server. A server that does not answer changes nothing. */
async function isCurrent(record, base, signal) {
  for (const [file, version] of Object.entries(record.versions ?? {})) {
    const now = await ask(new URL(file, base).href, signal);
    if (now && !sameVersion(version, now)) return false;
  }
  return true;
}

/** After a failed load, only what a later one can go on from stays stored. */
async function discard(store, code) {
  const wrong = WRONG_BYTES.test(code) && !(await store.record().catch(() => null));
  // Wrong answers may come from the device or from the bytes: fetch at least the bytes anew.
  if (wrong || code === "gpu/self-test-failed") await store.clear().catch(() => {});
  else if (code === "store/stale") await store.dropUnfinished().catch(() => {});
}

/**
 * A model by the names that the engine calls (src/web/source.rs). The choice is made at the engine's
 * first question, so wrong options and missing devices are reported before any request.
 */
export class Source {
  #choose;
  /** @type {Promise<Model> | null} */
  #choice = null;
  /** @type {Model | null} */
  #model = null;

  /**
   * @param {string} name of the model
   * @param {() => Promise<Model>} choose called once
   */
  constructor(name, choose) {
    this.name = name;
    this.#choose = choose;
  }

  #chosen() {
    return (this.#choice ??= this.#choose().then((model) => (this.#model = model)));
  }

  get base() {
    return this.#model?.base ?? "";
  }

  get store() {
    return this.#model?.store ?? null;
  }

  keeps() {
    return this.#model?.keeps ?? false;
  }

  async only() {
    return (await this.#chosen()).weightsFile();
  }

  async small(name) {
    return (await this.#chosen()).readFile(name);
  }

  async chunk(name, again) {
    return (await this.#chosen()).readChunk(name, again);
  }

  async has(name) {
    return (await this.#chosen()).has(name);
  }

  async open(name, peek) {
    return (await this.#chosen()).open(name, peek);
  }

  async next() {
    return (await this.#chosen()).next();
  }

  async keep(name, bytes) {
    return (await this.#chosen()).keep(name, bytes);
  }

  async finished(manifest, sha256) {
    return (await this.#chosen()).finish(manifest, sha256);
  }

  close() {
    this.#model?.close();
  }
}
