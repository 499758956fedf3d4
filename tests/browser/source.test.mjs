// The objects behind a model's loading, in Node against real servers: where a model is, which of them
// serves it, pieces of a download, and what is stored under which names.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, beforeEach, describe, test } from "node:test";
import { sha256, serveFaulty } from "./faulty.mjs";
import { openHub } from "./hub.mjs";
import { locate, repositoriesOf } from "../../pkg/source/locate.js";
import { identity, ModelStore, PIECE, readPin } from "../../pkg/source/model_store.js";
import { PackWriter } from "../../pkg/source/pack_writer.js";
import { PieceCache } from "../../pkg/source/piece_cache.js";
import { RemoteModel } from "../../pkg/source/remote.js";
import { choose } from "../../pkg/source/source.js";
import { StoredModel } from "../../pkg/source/stored.js";

/** Reproducible bytes in which every piece is another. */
function bytesOf(length) {
  const block = createHash("sha512").update(String(length)).digest();
  const bytes = Buffer.alloc(length, block);
  for (let at = 0; at < length; at += 4096) bytes.writeUInt32LE(at, Math.min(at, length - 4));
  return bytes;
}

/** Folders of files in memory, with room for `room` bytes. */
function storageInMemory(room = Infinity) {
  const files = new Map();
  const used = () => [...files.values()].reduce((sum, bytes) => sum + bytes.byteLength, 0);
  return {
    kind: "memory",
    names: () => [...files.keys()].sort(),
    read: async (folder, file) => files.get(`${folder}/${file}`) ?? null,
    async write(folder, file, bytes) {
      if (used() + bytes.byteLength > room) throw new DOMException("no room", "QuotaExceededError");
      files.set(`${folder}/${file}`, new Uint8Array(bytes));
    },
    drop: async (folder, file) => void files.delete(`${folder}/${file}`),
    async clear(folder) {
      for (const name of files.keys()) if (name.startsWith(`${folder}/`)) files.delete(name);
    },
    list: async () =>
      [...files].map(([name, bytes]) => {
        const [folder, file] = name.split("/");
        return { folder, file, bytes: bytes.byteLength };
      }),
  };
}

const WEIGHTS = "model.safetensors";
const ID = "some-model";
/** The manifest that the engine makes of a pack, as far as storing it goes. */
const manifestOf = (bytes, chunk) =>
  JSON.stringify({ quantization: "q8", source: { sha256: sha256(bytes), bytes: bytes.length }, chunks: [{ file: "weights-0.bin", bytes: chunk.length }] });

describe("the source of a model", () => {
  const file = bytesOf(2 * PIECE + 1_234_567);
  const chunk = bytesOf(1_000_000);
  let server;
  let hub;
  before(async () => {
    server = await serveFaulty({ [`m/${WEIGHTS}`]: file, "m/config.json": Buffer.from("{}") });
    hub = await openHub({ "someone/clip": { files: { [WEIGHTS]: file, "config.json": Buffer.from("{}") } }, "someone/empty": { files: { "README.md": Buffer.from("x") } } });
  });
  after(async () => {
    await server?.close();
    await hub?.close();
  });
  beforeEach(() => {
    server.files[`m/${WEIGHTS}`] = file;
    server.behave();
    hub.behave();
  });

  const request = { patience: { retries: 0, delay: 1 } };
  const writerOn = (storage, makeRoom = async () => false) =>
    new PackWriter(new ModelStore(storage, ID), { reason: null, progress() {}, makeRoom });
  /** Opens the file; `sources` gathers where its bytes came from. */
  const open = (writer, sources = new Set()) =>
    PieceCache.open(WEIGHTS, { url: `${server.url}m/${WEIGHTS}`, commit: null, request, writer, onBytes: (_, source) => sources.add(source) });
  const read = async (pieces) => {
    const parts = [];
    for await (const piece of pieces) parts.push(piece);
    return parts;
  };
  const stalled = () => (server.behave((name) => (name.endsWith(WEIGHTS) ? { cut: PIECE + 1000 } : undefined)), server);

  test("pieces have their size, and make the file", async () => {
    const storage = storageInMemory();
    const parts = await read(await open(writerOn(storage)));
    assert.deepEqual(parts.map((part) => part.byteLength), [PIECE, PIECE, file.length - 2 * PIECE]);
    assert.ok(Buffer.concat(parts).equals(file));
    assert.deepEqual(storage.names(), ["", 0, 1].map((i) => `${ID}/${WEIGHTS}.part${i}`));
  });

  test("a download that broke off goes on behind its stored pieces", async () => {
    const storage = storageInMemory();
    stalled();
    await assert.rejects(async () => read(await open(writerOn(storage))), { code: "network/failed" });
    server.behave();
    const sources = new Set();
    const parts = await read(await open(writerOn(storage), sources));
    assert.ok(Buffer.concat(parts).equals(file));
    assert.deepEqual([...sources], ["cache", "network"]);
    assert.equal(server.sent[`m/${WEIGHTS}`], file.length - PIECE);
  });

  test("stored pieces of another version, or damaged ones, are not used", async () => {
    const storage = storageInMemory();
    stalled();
    await assert.rejects(async () => read(await open(writerOn(storage))));
    server.behave();
    const changed = bytesOf(file.length + 1);
    server.files[`m/${WEIGHTS}`] = changed;
    assert.ok(Buffer.concat(await read(await open(writerOn(storage)))).equals(changed));

    const pieces = await open(writerOn(storage));
    await storage.write(ID, `${WEIGHTS}.part1`, new Uint8Array(3));
    await assert.rejects(() => read(pieces), { code: "store/stale" });
    assert.deepEqual(storage.names(), []);
  });

  test("a file that is not there is told from one that cannot be had", async () => {
    delete server.files[`m/${WEIGHTS}`];
    assert.equal(await open(writerOn(storageInMemory())), null);
    server.behave(() => ({ status: 500 }));
    await assert.rejects(() => open(writerOn(storageInMemory())), { code: "network/failed" });
  });

  test("pieces make room for the pack, and without room for that nothing is stored", async () => {
    const storage = storageInMemory(2 * PIECE + 500_000);
    let pieces = null;
    const writer = writerOn(storage, async () => (await pieces?.drop()) ?? false);
    pieces = await open(writer);
    const reading = pieces[Symbol.asyncIterator]();
    await reading.next();
    await reading.next();
    assert.equal(storage.names().length, 3);
    assert.equal(await writer.write("weights-0.bin", chunk), true);
    assert.deepEqual(storage.names(), [`${ID}/weights-0.bin`]);
    assert.deepEqual(writer.state, { kept: false, reason: null });
    assert.equal(await writer.write("weights-1.bin", bytesOf(2 * PIECE)), false);
    assert.deepEqual(writer.state, { kept: false, reason: "quota" });
    assert.deepEqual(storage.names(), []);
    assert.equal((await reading.next()).value.byteLength, file.length - 2 * PIECE);
  });

  test("an address is a place as it is, and a repository is one at a commit", async () => {
    const how = { hub: hub.url, pin: null, request };
    assert.deepEqual(repositoriesOf(`${server.url}m/`), []);
    assert.deepEqual(await locate(`${server.url}m/`, [], how), { base: `${server.url}m/`, repository: null, commit: null, files: null, weightsFile: null });
    assert.deepEqual(hub.requests, []);

    const sources = ["someone/nothing", "someone/empty", "someone/clip"].map((repository) => ({ repository, file: WEIGHTS }));
    const place = await locate("hf:someone/clip", repositoriesOf({ sources }), how);
    const commit = hub.commitOf("someone/clip");
    assert.deepEqual([place.repository, place.commit, place.weightsFile], ["someone/clip", commit, WEIGHTS]);
    assert.equal(place.base, `${hub.url}/someone/clip/resolve/${commit}/`);
    assert.equal(place.files.get(WEIGHTS).sha256, sha256(file));
    await assert.rejects(() => locate("", repositoriesOf({ sources: sources.slice(0, 2) }), how), { code: "weights/missing", message: /someone\/empty has no/ });
  });

  test("a pin decides about repository, commit and hash", async () => {
    const pin = { repository: "someone/clip", commit: hub.commitOf("someone/clip"), files: { [WEIGHTS]: "0".repeat(64) } };
    // This one has the commit and no branch.
    const commit = "c".repeat(40);
    server.files[`api/models/someone/old/revision/${commit}`] = Buffer.from(JSON.stringify({ sha: commit, siblings: [{ rfilename: WEIGHTS }] }));
    const old = (pin) => locate("hf:someone/old", repositoriesOf("hf:someone/old"), { hub: server.url.slice(0, -1), pin, request });
    await assert.rejects(() => old(null), { code: "weights/missing" });
    assert.equal((await old({ repository: "someone/old", commit, files: {} })).commit, commit);

    hub.behave();
    const place = await locate("hf:someone/clip", repositoriesOf("hf:someone/clip"), { hub: hub.url, pin, request });
    assert.deepEqual(hub.requests.map(({ name }) => name), ["someone/clip"]);
    assert.equal(place.files.get(WEIGHTS).sha256, pin.files[WEIGHTS]);
    const remote = new RemoteModel(place, { address: "hf:someone/clip", name: "clip", store: null, reason: "off", request, progress() {} });
    await remote.open(WEIGHTS, false);
    while (await remote.next());
    await assert.rejects(() => remote.finish(null, sha256(file)), { code: "weights/invalid" });
  });

  test("the network serves first, then what was stored of it, under the same names as ever", async () => {
    for (const [model, address, options] of [
      [`${server.url}m/`, `${server.url}m/`, {}],
      ["hf:someone/clip", "hf:someone/clip", { hub: hub.url }],
    ]) {
      const storage = storageInMemory();
      const id = await identity(address, "q8");
      assert.equal(id, sha256(Buffer.from(`${address}\nq8`)).slice(0, 32));
      const store = new ModelStore(storage, id);
      const events = [];
      const serve = () => choose(model, { address, name: "m", store }, options, { progress: (event) => events.push(event) });

      const remote = await serve();
      assert.ok(remote instanceof RemoteModel);
      assert.equal(await remote.readFile("manifest.json"), null);
      assert.equal(await remote.open(WEIGHTS, false), true);
      const parts = [];
      for (let bytes; (bytes = await remote.next()); ) parts.push(bytes);
      assert.ok(Buffer.concat(parts).equals(file));
      assert.deepEqual([events.at(-1).loaded, events.at(-1).total], [file.length, file.length]);
      await remote.keep("weights-0.bin", chunk);
      await remote.finish(manifestOf(file, chunk), sha256(file));
      assert.deepEqual(remote.store, { kept: true, reason: null });
      const own = storage.names().filter((name) => !name.startsWith("pins/"));
      assert.deepEqual(own, ["manifest.json", "record.json", "weights-0.bin"].map((name) => `${id}/${name}`));

      const record = JSON.parse(Buffer.from(await storage.read(id, "record.json")).toString());
      assert.deepEqual(Object.keys(record).sort(), ["address", "bytes", "created", "name", "quantization", "source", "version", "versions"]);
      assert.deepEqual([record.version, record.address, record.quantization, record.bytes], [1, address, "q8", chunk.length]);
      assert.equal(record.source.file, WEIGHTS);
      const pin = await readPin(storage, address);
      assert.deepEqual(pin, options.hub ? { address, repository: "someone/clip", commit: hub.commitOf("someone/clip"), files: { [WEIGHTS]: sha256(file) } } : null);

      hub.behave();
      const stored = await serve();
      assert.ok(stored instanceof StoredModel);
      assert.ok(Buffer.from(await stored.readChunk("weights-0.bin", false)).equals(chunk));
      assert.deepEqual(hub.requests, []);
      // A chunk that the browser evicted: all of it is loaded anew.
      await storage.drop(id, "weights-0.bin");
      await assert.rejects(() => stored.readChunk("weights-0.bin", false), { code: "store/stale" });
      assert.ok((await serve()) instanceof RemoteModel);
    }
  });

  test("a stored model without its manifest is outdated; one without its optional files is not", async () => {
    const storage = storageInMemory();
    const store = new ModelStore(storage, ID);
    const address = `${server.url}m/`;
    const serve = () => choose(address, { address, name: "m", store }, {}, { progress() {} });
    const remote = await serve();
    await remote.open(WEIGHTS, false);
    while (await remote.next());
    await remote.keep("weights-0.bin", chunk);
    await remote.finish(manifestOf(file, chunk), sha256(file));
    const stored = await serve();
    assert.ok(stored instanceof StoredModel);
    assert.ok(await stored.readFile("manifest.json"));
    assert.equal(await stored.readFile("words.txt.gz"), null);

    await storage.drop(ID, "manifest.json");
    await assert.rejects(() => stored.readFile("manifest.json"), { code: "store/stale" });
    assert.deepEqual(storage.names(), []);
    assert.ok((await serve()) instanceof RemoteModel);
  });

  test("a stored model serves while the server is away, and not once it changed", async () => {
    const storage = storageInMemory();
    const store = new ModelStore(storage, ID);
    const address = `${server.url}m/`;
    const serve = () => choose(address, { address, name: "m", store }, {}, { progress() {} });
    const remote = await serve();
    await remote.open(WEIGHTS, false);
    while (await remote.next());
    await remote.finish(manifestOf(file, chunk), sha256(file));
    delete server.files[`m/${WEIGHTS}`];
    assert.ok((await serve()) instanceof StoredModel);
    server.files[`m/${WEIGHTS}`] = bytesOf(file.length + 1);
    assert.ok((await serve()) instanceof RemoteModel);
    assert.deepEqual(storage.names(), []);
  });
});
