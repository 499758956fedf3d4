/*
 * Where the engine gets a model from. The engine asks for small files, for weights files from front
 * to back and for chunks of packs, and hands back what is worth keeping; whether the bytes come from
 * the network or from what was kept is decided here.
 */
import { PromptLensError } from "../error.js";
import { Download, joined, whole } from "./download.js";
import { ask, failed, sameVersion, Stale } from "./http.js";
import { LocalSource } from "./local.js";
import { describe, HUB } from "./hub.js";
import { identity, Keep, locked, PIECE, readPin, sha256Of, writePin } from "./model_store.js";
import { readName } from "./name.js";
import { Progress } from "./progress.js";
import { Rate } from "./rate.js";
import { isFull, openShelf } from "../storage/storage.js";

const SMALL = 64 * 1024 * 1024;
/** Small files that a kept model has beside its pack. */
const BESIDE = ["self_test.json", "words.txt.gz"];
/** Errors that say the bytes are wrong, after which none of them are kept. */
const WRONG = /^(weights|config|tokenizer)\//;

/**
 * Runs `load` with a source for `model`, alone with it among all tabs.
 *
 * @param {any} model address, `hf:` name, table entry, folder handle, or files
 * @param {any} options
 * @param {{signal: AbortSignal, progress: (event: object) => void}} how
 * @param {(source: RemoteSource | LocalSource) => Promise<any>} load
 */
export async function withSource(model, options, how, load) {
  if (typeof model !== "string" && !model.sources) return load(new LocalSource(model, how));
  const shelf = options.store === false ? null : await openShelf();
  const address = typeof model === "string" ? model : `hf:${model.repository}`;
  const id = await (shelf ? identity(address, options.quantization) : "");
  const run = async () => {
    for (let again = 0; ; again += 1) {
      const source = new RemoteSource(model, address, shelf && new Keep(shelf, id), options, how);
      try {
        const result = await load(source);
        await source.close();
        return result;
      } catch (error) {
        await source.close(error);
        if (error?.code !== "store/stale") throw error;
        if (again >= 2) throw failed(source.base, "it changes while it is being read");
      }
    }
  };
  const waiting = () => how.progress({ stage: "waiting", loaded: 0, total: null, source: "cache" });
  return shelf ? locked(id, how.signal, waiting, run) : run();
}

export class RemoteSource {
  /** @type {{kept: boolean, reason: string | null}} */
  store;
  base = "";
  #model;
  #address;
  /** @type {Keep | null} */
  #keep;
  #options;
  #signal;
  #progress;
  /** @type {Promise<void> | null} */
  #ready = null;
  /** The record of the kept model, where that is complete and valid. */
  #record = null;
  /** @type {import("./hub.js").Repository | null} */
  #repository = null;
  #only = null;
  /** Small files that came over the network, to be kept beside the pack. */
  #small = new Map();
  /** @type {Download | null} */
  #download = null;
  /** The weights file being read, and the version of each that was read. */
  #file = "";
  #versions = {};
  /** Kept pieces of that file which are still to be handed out. */
  #pieces = { next: 0, end: 0 };
  /** Bytes of the piece that is being filled. */
  #filling = { parts: [], bytes: 0, keep: false };
  /** Whether that file is only looked into, which is no progress. */
  #look = false;
  /** Whether the download has still to go on behind the kept pieces. */
  #resuming = false;
  #rate = new Rate();
  #progressOf = new Progress();
  /** A pack from the network: its manifest, and how far its chunks are. */
  #manifest = null;

  constructor(model, address, keep, options, { signal, progress }) {
    this.#model = model;
    this.#address = address;
    this.#keep = keep;
    this.#options = options;
    this.#signal = signal;
    this.#progress = progress;
    this.store = { kept: false, reason: keep ? null : options.store === false ? "off" : "unavailable" };
    const last = address.split(/[/:]/).filter(Boolean).at(-1) ?? "";
    this.name = typeof model === "string" ? last : model.name;
  }

  get #how() {
    const onWait = (seconds) => this.#progress({ stage: "limited", loaded: 0, total: null, source: "network", secondsLeft: seconds });
    return { signal: this.#signal, patience: this.#options.patience, onWait };
  }

  /** How to ask for the file `name`. */
  #howTo(name) {
    const size = this.#repository?.files.get(name)?.bytes ?? null;
    return { ...this.#how, hub: this.#repository !== null, size };
  }

  /** Finds out where the files are and whether a kept model serves. */
  #prepare() {
    return (this.#ready ??= this.#find());
  }

  async #find() {
    const record = await this.#keep?.record();
    const named = typeof this.#model === "string" ? readName(this.#model) : null;
    const reference = named?.kind === "hub" ? named.reference : null;
    if (reference || typeof this.#model !== "string") {
      // A commit never changes: what is kept of it needs no question.
      if (record) this.#use(record);
      else await this.#locate(reference);
      return;
    }
    this.base = this.#address;
    if (record && (await this.#isCurrent(record))) this.#use(record);
    else if (record) await this.#keep.clear();
  }

  #use(record) {
    this.#record = record;
    this.store = { kept: true, reason: null };
  }

  /** Asks the hub for the repository, at the commit of the first time. */
  async #locate(reference) {
    const hub = (this.#options.hub ?? HUB).replace(/\/$/, "");
    const pin = this.#keep && (await readPin(this.#keep.shelf, this.#address));
    const wanted = reference ? [{ ...reference, file: null }] : this.#model.sources.map((s) => ({ repository: s.repository, revision: "main", file: s.file }));
    let problem = null;
    for (const { repository, revision, folder, file } of wanted) {
      if (pin && pin.repository !== repository) continue;
      try {
        const found = await describe({ repository, revision: pin?.commit ?? revision, folder }, hub, this.#how);
        if (file && !found.files.has(file)) {
          problem = new PromptLensError("weights/missing", `${repository} has no ${file}.`);
          continue;
        }
        if (pin) for (const [name, sha256] of Object.entries(pin.files)) found.files.set(name, { ...found.files.get(name), sha256 });
        this.#repository = found;
        this.#only = file;
        this.base = found.base;
        return;
      } catch (error) {
        if (error.code !== "weights/missing") throw error;
        problem = error;
      }
    }
    throw problem ?? new PromptLensError("weights/missing", "No repository of this model could be found.");
  }

  /** Whether what was kept is what the server has. Without the server it is taken as it is. */
  async #isCurrent(record) {
    for (const [file, version] of Object.entries(record.versions ?? {})) {
      const now = await ask(new URL(file, this.base).href, this.#signal);
      if (now && !sameVersion(version, now)) return false;
    }
    return true;
  }

  /** @returns {Promise<string | null>} the weights file, where the table names it */
  async only() {
    await this.#prepare();
    return this.#record ? null : this.#only;
  }

  async small(name) {
    await this.#prepare();
    if (this.#record) {
      if (name === "manifest.json") this.#progressOf.open("weights", this.#record.bytes, false);
      return name === "config.json" ? null : this.#keep.read(name);
    }
    if (this.#repository && !this.#repository.files.has(name)) return null;
    if (!this.#small.has(name)) {
      const address = new URL(name, this.base).href;
      this.#small.set(name, await whole(address, { ...this.#howTo(name), limit: SMALL }));
    }
    const bytes = this.#small.get(name);
    if (name === "manifest.json" && bytes) this.#isPack(bytes);
    return bytes;
  }

  #isPack(bytes) {
    try {
      const manifest = JSON.parse(new TextDecoder().decode(bytes));
      this.#manifest = manifest;
      const bytes = manifest.chunks.reduce((sum, chunk) => sum + chunk.bytes, 0);
      this.#progressOf.open("weights", Number.isSafeInteger(bytes) ? bytes : null, false);
    } catch {
      // The engine says what is wrong with it.
    }
  }

  async chunk(name, again) {
    await this.#prepare();
    if (this.#record) return this.#keptChunk(name, again);
    let bytes = again ? null : await this.#keep?.read(name);
    const source = bytes ? "cache" : "network";
    if (!bytes) {
      bytes = await whole(new URL(name, this.base).href, { ...this.#howTo(name), limit: SMALL });
      if (!bytes) throw new PromptLensError("weights/missing", `There is no ${new URL(name, this.base).href}.`);
      if (this.keeps()) await this.#put(name, bytes);
    }
    if (name.startsWith("weights-") || this.#manifest?.chunks?.some(({ file }) => file === name)) this.#report(bytes.byteLength, source);
    return bytes;
  }

  async #keptChunk(name, again) {
    const bytes = again ? null : await this.#keep.read(name);
    if (!bytes) {
      // Damaged or evicted by the browser: what is left of it serves nobody.
      await this.#keep.clear();
      throw new Stale(this.base);
    }
    if (name !== "tokenizer.json") this.#report(bytes.byteLength, "cache");
    return bytes;
  }

  /** Whether there is a file of this name. */
  async has(name) {
    await this.#prepare();
    if (this.#record) return false;
    if (this.#repository) return this.#repository.files.has(name);
    return (await ask(new URL(name, this.base).href, this.#signal)) !== null;
  }

  /** Starts on a weights file, only to `look` at its beginning or to read it; false where there is none. */
  async open(name, look) {
    await this.#prepare();
    this.#download?.close();
    if (this.#repository && !this.#repository.files.has(name)) return false;
    const address = new URL(name, this.base).href;
    this.#file = name;
    this.#look = look;
    this.#pieces = { next: 0, end: 0 };
    this.#filling = { parts: [], bytes: 0, keep: false };
    let left = await this.#keep?.unfinished(name);
    if (left && !(await this.#isSame(left.version, address))) {
      await this.#keep.dropUnfinished();
      left = null;
    }
    this.#pieces.end = left?.pieces ?? 0;
    const from = this.#pieces.end * PIECE;
    const known = left?.version ?? null;
    this.#download = new Download(address, { ...this.#howTo(name), from, known });
    this.#resuming = from > 0 && known.total !== null;
    if (!this.#resuming) {
      if (!(await this.#download.start())) return false;
      await this.#began();
    }
    this.#progressOf.open(name, this.#download.total, look);
    return true;
  }

  /** Whether the pieces of an unfinished download are of the file that is there now. */
  async #isSame(version, address) {
    const commit = this.#repository?.commit;
    if (commit && version.commit) return version.commit === commit;
    const now = await ask(address, this.#signal);
    return !now || sameVersion(version, now);
  }

  /** Once the server has answered: what is being read, and whether its pieces are worth keeping. */
  async #began() {
    const version = { ...this.#download.version, commit: this.#repository?.commit };
    this.#versions[this.#file] = version;
    if (this.keeps() && (version.total === null || version.total > PIECE)) {
      this.#filling.keep = await this.#put(null, version);
    }
  }

  /** The next bytes of the weights file, and `null` at its end. */
  async next() {
    const { next, end } = this.#pieces;
    if (next < end) {
      this.#pieces.next += 1;
      const bytes = await this.#keep.read(this.#keep.pieceName(this.#file, next));
      if (bytes?.byteLength !== PIECE) {
        await this.#keep.dropUnfinished();
        throw new Stale(this.base);
      }
      this.#report(PIECE, "cache");
      return bytes;
    }
    if (this.#resuming && !(await this.#resumed())) return null;
    const filling = this.#filling;
    for (;;) {
      const bytes = await this.#download.read();
      if (bytes === null) break;
      this.#report(bytes.byteLength, "network");
      // A piece of a download ends where it must, so that the next session can go on from there.
      let rest = bytes;
      while (filling.bytes + rest.byteLength >= PIECE) {
        const part = rest.subarray(0, PIECE - filling.bytes);
        filling.parts.push(part);
        rest = rest.subarray(part.byteLength);
        const piece = joined(filling.parts);
        filling.parts = rest.byteLength > 0 ? [rest] : [];
        filling.bytes = rest.byteLength;
        await this.#putPiece(piece);
        return piece;
      }
      if (rest.byteLength > 0) filling.parts.push(rest);
      filling.bytes += rest.byteLength;
    }
    if (filling.bytes === 0) return null;
    const last = joined(filling.parts);
    this.#filling = { parts: [], bytes: 0, keep: false };
    return last;
  }

  /** After the kept pieces: the network goes on where they end. */
  async #resumed() {
    this.#resuming = false;
    const { version } = this.#download;
    this.#versions[this.#file] = version;
    if (version.total === this.#pieces.end * PIECE) return false;
    try {
      if (!(await this.#download.start())) throw failed(this.#file, "it is gone since the download began");
    } catch (error) {
      if (error instanceof Stale) await this.#keep.dropUnfinished();
      throw error;
    }
    this.#filling.keep = true;
    return true;
  }

  async #putPiece(piece) {
    const index = this.#pieces.next;
    this.#pieces.next += 1;
    this.#pieces.end = this.#pieces.next;
    if (this.#filling.keep && this.keeps()) {
      this.#filling.keep = await this.#put(this.#keep.pieceName(this.#file, index), piece);
    }
  }

  /** Whether what arrives is kept. */
  keeps() {
    return this.#keep !== null && this.store.reason === null && !this.#record;
  }

  /** Keeps a chunk of the pack that is being made. */
  async keep(name, bytes) {
    if (this.keeps()) await this.#put(name, bytes);
  }

  /** Writes a file, or the note of a download where `name` is `null`; says whether that went well. */
  async #put(name, bytes) {
    for (const lastTry of [false, true]) {
      try {
        await (name === null ? this.#keep.note(this.#file, bytes) : this.#keep.write(name, bytes));
        return true;
      } catch (error) {
        if (!lastTry && isFull(error) && this.#filling.keep) {
          // The pack matters more than a download that could be resumed.
          this.#filling.keep = false;
          await this.#keep.dropUnfinished().catch(() => {});
          if (name === null || /\.part\d*$/.test(name)) return false;
          continue;
        }
        await this.#giveUp(isFull(error) ? "quota" : "failed");
        return false;
      }
    }
    return false;
  }

  /** Goes on in memory. */
  async #giveUp(reason) {
    this.store = { kept: false, reason };
    await this.#keep.clear().catch(() => {});
    this.#progress({ stage: "store", loaded: 0, total: null, source: "network", reason });
  }

  /**
   * The weights are read, and nothing was wrong with them. `manifest` is that of the pack that was
   * made on the way, `null` where none was; `sha256` is the hash of the weights file, or, of several,
   * that of the list of theirs.
   */
  async finished(manifest, sha256) {
    if (this.#record) return;
    // In the order of the engine's list, whichever was asked for first.
    const files = Object.keys(this.#versions).sort();
    const hashes = files.map((file) => this.#repository?.files.get(file)?.sha256 ?? null);
    const known = hashes.length > 0 && hashes.every(Boolean);
    if (known && sha256 !== (hashes.length === 1 ? hashes[0] : await sha256Of(hashes.join("\n")))) {
      throw new PromptLensError("weights/invalid", `${this.#file} is not the file that the hub speaks of; it was damaged on the way. Load it again.`);
    }
    if (!this.keeps()) return;
    const { commit = null, repository = null } = this.#repository ?? {};
    const origin = { address: this.#address, file: this.#file || null, repository, commit };
    const text = manifest ?? new TextDecoder().decode(this.#small.get("manifest.json"));
    const pack = JSON.parse(text);
    pack.source.origin ??= origin;
    // A pack that came as one is kept to the byte.
    const bytes = manifest === null ? this.#small.get("manifest.json") : new TextEncoder().encode(JSON.stringify(pack));
    const beside = [["manifest.json", bytes]];
    for (const name of BESIDE) if (this.#small.get(name)) beside.push([name, this.#small.get(name)]);
    for (const [name, content] of beside) if (!(await this.#put(name, content))) return;
    if (manifest === null) this.#versions["manifest.json"] = (await ask(new URL("manifest.json", this.base).href, this.#signal)) ?? undefined;
    const record = {
      address: this.#address,
      name: this.name,
      quantization: pack.quantization ?? pack.quantisation,
      source: { sha256: pack.source.sha256, bytes: pack.source.bytes, ...origin },
      versions: this.#repository ? {} : this.#versions,
      bytes: pack.chunks.reduce((sum, chunk) => sum + chunk.bytes, 0),
      created: new Date().toISOString(),
    };
    if (this.#repository) {
      const pinned = Object.fromEntries(known ? files.map((file, i) => [file, hashes[i]]) : []);
      await writePin(this.#keep.shelf, this.#address, { repository, commit, files: pinned }).catch(() => {});
    }
    try {
      await this.#keep.writeRecord(record);
      await this.#keep.dropUnfinished();
      this.store = { kept: true, reason: null };
    } catch (error) {
      await this.#giveUp(isFull(error) ? "quota" : "failed");
    }
  }

  /** Ends it. After `error`, only what can be gone on from stays. */
  async close(error) {
    this.#download?.close();
    if (!error || !this.#keep) return;
    const code = error.code ?? "";
    // Wrong answers may come from the device or from the bytes: these at least are fetched anew.
    if (code === "gpu/self-test-failed") await this.#keep.clear().catch(() => {});
    if (this.#record) return;
    if (WRONG.test(code) && !(await this.#keep.record().catch(() => null))) await this.#keep.clear().catch(() => {});
    else if (code === "store/stale") await this.#keep.dropUnfinished().catch(() => {});
  }

  #report(bytes, source) {
    if (source === "network") this.#rate.add(bytes, performance.now());
    if (this.#look) return;
    const { loaded, total } = this.#progressOf.add(bytes);
    const left = total === null ? null : Math.max(0, total - loaded);
    this.#progress({
      stage: "weights",
      loaded,
      total,
      source,
      bytesPerSecond: source === "network" ? this.#rate.perSecond : null,
      secondsLeft: source === "network" ? this.#rate.secondsFor(left) : null,
    });
  }
}
