// What the browser keeps of a model: the second visit, resuming, other tabs, no room, deleting.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { writeSharded } from "./checkpoint.mjs";
import { DIST, openBrowser, openSite, PAGES } from "./harness.mjs";
import { emptyStore, filesOf, loadOnce, serveFaulty, sha256, storedIn } from "./faulty.mjs";

const WEIGHTS = "mini/model.safetensors";

describe("the store", { timeout: 900_000 }, () => {
  let site;
  let session;
  let page;
  let server;
  const load = (options = {}) => loadOnce(page, site.url, { model: `${server.url}mini/`, ...options });
  const weightBytes = () => Object.entries(server.sent).reduce((sum, [name, n]) => sum + (/safetensors|\.bin$/.test(name) ? n : 0), 0);

  before(async () => {
    site = await openSite({ "": DIST, test: PAGES });
    session = await openBrowser({ webgpu: false });
    page = session.page;
    await page.goto(`${site.url}test/package.html`);
    const files = {};
    for (const [name, bytes] of Object.entries(await filesOf(join(DIST, "models/mini-vit")))) files[`mini/${name}`] = bytes;
    server = await serveFaulty(files);
  });
  after(async () => {
    await session?.close();
    await server?.close();
    await site?.close();
  });
  beforeEach(async () => {
    await emptyStore(page, site.url);
    server.behave();
  });

  test("the second visit loads no byte of the weights, and answers alike", async () => {
    for (const quantization of [undefined, "q8", "q4", "mixed", "f16", "none"]) {
      server.behave();
      const first = await load({ quantization });
      assert.ok(first.text, first.message);
      assert.equal(server.sent[WEIGHTS], server.files[WEIGHTS].length);
      const events = first.events.filter(({ stage }) => stage === "weights");
      assert.ok(events.every(({ source }) => source === "network"));
      const last = events.at(-1);
      assert.deepEqual([last.loaded, last.total], [server.files[WEIGHTS].length, server.files[WEIGHTS].length]);

      server.behave();
      const second = await load({ quantization });
      assert.deepEqual(second.text, first.text, `${quantization}: ${second.message}`);
      assert.equal(weightBytes(), 0);
      assert.ok(second.events.filter(({ stage }) => stage === "weights").every(({ source }) => source === "cache"));
      assert.equal(second.info.modelSha256, first.info.modelSha256);
      assert.equal(second.info.quantization, first.info.quantization);
      assert.deepEqual(second.info.selfTest?.passed, true);
      assert.deepEqual(second.info.store, { kept: true, reason: null });
      console.log(`${quantization ?? "as stored"}: first ${first.ready.toFixed(0)} ms, second ${second.ready.toFixed(0)} ms`);
    }
    const kept = await storedIn(page, site.url);
    assert.equal(kept.length, 6);
    for (const { complete, bytes, address, name, source } of kept) {
      assert.ok(complete && bytes > 1e6);
      assert.deepEqual([address, name], [`${server.url}mini/`, "mini"]);
      assert.match(source.sha256, /^[0-9a-f]{64}$/);
    }
    // Without the server it still loads.
    server.behave(() => ({ status: 500 }));
    assert.ok((await load({ quantization: "q4" })).text);
  });

  test("a stored model that lost a file it needs is loaded anew", async () => {
    const first = await load();
    for (const lost of ["manifest.json", "tokenizer.json", "weights-0.bin"]) {
      const dropped = await page.evaluate(async (name) => {
        const root = await (await navigator.storage.getDirectory()).getDirectoryHandle("promptlens");
        for await (const folder of root.values()) {
          if (folder.kind !== "directory" || folder.name === "pins") continue;
          for await (const file of folder.keys()) {
            if (file === name || (name.startsWith("weights-") && file.startsWith("weights-"))) return folder.removeEntry(file).then(() => file);
          }
        }
      }, lost);
      assert.ok(dropped, lost);
      server.behave();
      const again = await load();
      assert.deepEqual(again.text, first.text, `${dropped}: ${again.message}`);
      assert.equal(weightBytes(), server.files[WEIGHTS].length, dropped);
      assert.deepEqual(again.info.store, { kept: true, reason: null });
    }
  });

  test("a model that changed on the server is loaded anew", async () => {
    await load();
    const before = server.files[WEIGHTS];
    const changed = Buffer.from(before);
    changed[changed.length - 1] ^= 1;
    server.files[WEIGHTS] = changed;
    server.behave();
    const again = await load();
    server.files[WEIGHTS] = before;
    assert.ok(again.text, again.message);
    assert.ok(weightBytes() > 0);
    assert.equal((await storedIn(page, site.url)).length, 1);
  });

  test("a cancelled download goes on from its last piece", async () => {
    // The connection stays open and silent, as a slow one does, until the reader gives up.
    server.behave((name) => (name === WEIGHTS ? { stall: 5 << 20 } : undefined));
    const code = await page.evaluate(
      async ([entry, model]) => {
        const { PromptLens } = await import(entry);
        const abort = new AbortController();
        const onProgress = ({ stage, loaded }) => stage === "weights" && loaded > 4.9 * 1024 * 1024 && abort.abort();
        return PromptLens.load({ model, device: "cpu", onProgress, signal: abort.signal }).then(() => "loaded", (e) => e.code);
      },
      [`${site.url}pkg/index.js`, `${server.url}mini/`],
    );
    assert.equal(code, "engine/cancelled");
    const [part] = await storedIn(page, site.url);
    assert.equal(part?.complete, false);
    assert.ok(part.bytes >= 4 << 20, `${part.bytes} bytes are kept`);
    server.behave();
    const loaded = await load();
    assert.ok(loaded.text, loaded.message);
    assert.equal(weightBytes(), server.files[WEIGHTS].length - (4 << 20));
    const sources = new Set(loaded.events.filter(({ stage }) => stage === "weights").map(({ source }) => source));
    assert.deepEqual([...sources], ["cache", "network"]);
    const kept = await storedIn(page, site.url);
    assert.equal(kept.length, 1);
    assert.ok(kept[0].complete && kept[0].bytes < 7e6, "the pieces are gone");
  });

  test("a sharded checkpoint: one progress, resumed, and refused before its first value", async () => {
    const model = {
      joint: 64,
      vision: { width: 128, layers: 2, heads: 2, image: 64, patch: 16 },
      text: { width: 256, layers: 2, heads: 4, context: 77, vocabulary: 8194 },
    };
    const folder = await mkdtemp(join(tmpdir(), "promptlens-sharded-"));
    await writeSharded(folder, model, 2);
    for (const [name, bytes] of Object.entries(await filesOf(folder))) server.files[`sharded/${name}`] = bytes;
    await rm(folder, { recursive: true });
    server.files["sharded/tokenizer.json"] = server.files["mini/tokenizer.json"];
    const shards = [1, 2].map((i) => `sharded/model-0000${i}-of-00002.safetensors`);
    const sizes = shards.map((name) => server.files[name].length);
    assert.ok(sizes[0] > 10 << 20 && sizes[1] < 4 << 20, `${sizes}`);
    const total = sizes[0] + sizes[1];
    const options = { model: `${server.url}sharded/`, quantization: "q8" };
    const progress = ({ events }) => {
      const weights = events.filter(({ stage }) => stage === "weights");
      assert.ok(weights.every((event, i) => event.total === weights[0].total && event.loaded > (weights[i - 1]?.loaded ?? 0)));
      assert.equal(weights.at(-1).loaded, weights[0].total);
      return weights[0].total;
    };

    const first = await load(options);
    assert.ok(first.text, first.message);
    assert.equal(progress(first), total);
    assert.deepEqual(first.info.store, { kept: true, reason: null });
    server.behave();
    const second = await load(options);
    assert.deepEqual(second.text, first.text, second.message);
    assert.equal(weightBytes(), 0);
    progress(second);

    // From a hub that knows the hash of each file.
    const commit = "e".repeat(40);
    const siblings = [];
    for (const [path, bytes] of Object.entries(server.files).filter(([path]) => path.startsWith("sharded/"))) {
      const rfilename = path.slice("sharded/".length);
      siblings.push({ rfilename, size: bytes.length, ...(shards.includes(path) && { lfs: { sha256: sha256(bytes) } }) });
      server.files[`someone/sharded/resolve/${commit}/${rfilename}`] = bytes;
    }
    server.files["api/models/someone/sharded/revision/main"] = Buffer.from(JSON.stringify({ sha: commit, siblings }));
    const onHub = { ...options, model: "hf:someone/sharded", hub: server.url.slice(0, -1) };
    const hubShards = shards.map((path) => path.replace("sharded/", `someone/sharded/resolve/${commit}/`));

    await emptyStore(page, site.url);
    server.behave((name) => (name === hubShards[0] ? { stall: 5 << 20 } : undefined));
    const code = await page.evaluate(
      async ([entry, settings]) => {
        const { PromptLens } = await import(entry);
        const abort = new AbortController();
        const onProgress = ({ stage, loaded }) => stage === "weights" && loaded > 8.5 * 1024 * 1024 && abort.abort();
        return PromptLens.load({ ...settings, device: "cpu", onProgress, signal: abort.signal }).then(() => "loaded", (e) => e.code);
      },
      [`${site.url}pkg/index.js`, onHub],
    );
    assert.equal(code, "engine/cancelled");
    server.behave();
    const resumed = await load(onHub);
    assert.deepEqual(resumed.text, first.text, resumed.message);
    assert.equal(progress(resumed), total);
    // The small shard comes once for its header and once for its values.
    assert.deepEqual(hubShards.map((name) => server.sent[name]), [sizes[0] - (8 << 20), 2 * sizes[1]]);

    await emptyStore(page, site.url);
    const good = server.files[shards[1]];
    const text = good.toString("latin1");
    server.files[shards[1]] = Buffer.from(text.replace('"shape":[64,128]', '"shape":[128,64]'), "latin1");
    assert.notDeepEqual(server.files[shards[1]], good);
    const refused = await load(options);
    server.files[shards[1]] = good;
    assert.equal(refused.code, "weights/wrong-shape", refused.message);
    assert.ok(refused.events.every(({ stage }) => stage !== "weights"), "no weight was read");
    assert.deepEqual(await storedIn(page, site.url), []);
    server.behave();
    assert.deepEqual((await load(options)).text, first.text);
  });

  test("two tabs share one download", async () => {
    const other = await session.browser.newPage();
    await other.goto(`${site.url}test/package.html`);
    // One tab may be done before the other has begun; then it is tried again.
    let waited = false;
    for (let attempt = 0; attempt < 5 && !waited; attempt += 1) {
      if (attempt > 0) await emptyStore(page, site.url);
      server.behave();
      const [a, b] = await Promise.all([load(), loadOnce(other, site.url, { model: `${server.url}mini/` })]);
      assert.deepEqual(a.text, b.text, a.message ?? b.message);
      assert.equal(weightBytes(), server.files[WEIGHTS].length);
      waited = [a, b].some(({ events }) => events.some(({ stage }) => stage === "waiting"));
    }
    assert.ok(waited);
    await other.close();
  });

  test("a model that is being loaded is not deleted", async () => {
    server.behave((name) => (name === WEIGHTS ? { stall: 5 << 20 } : undefined));
    const code = await page.evaluate(
      async ([entry, model]) => {
        const { PromptLens } = await import(entry);
        const abort = new AbortController();
        let begun;
        const ready = new Promise((done) => (begun = done));
        const onProgress = ({ stage, loaded }) => stage === "weights" && loaded > 4.9 * 1024 * 1024 && begun();
        const loading = PromptLens.load({ model, device: "cpu", onProgress, signal: abort.signal }).catch(() => {});
        await ready;
        const [{ id }] = await PromptLens.models.stored();
        const outcome = await PromptLens.models.delete(id).then(() => "deleted", (error) => error.code);
        abort.abort();
        await loading;
        return outcome;
      },
      [`${site.url}pkg/index.js`, `${server.url}mini/`],
    );
    assert.equal(code, "store/busy");
    // Once the worker is gone, and the browser has seen that, the pieces can go too.
    for (let left = 50; left > 0; left -= 1) {
      const busy = await emptyStore(page, site.url).then(() => false, () => true);
      if (!busy) break;
      await new Promise((done) => setTimeout(done, 100));
    }
    assert.deepEqual(await storedIn(page, site.url), []);
  });

  test("without room it goes on in memory and says so", async () => {
    const client = await session.browser.newCDPSession(page);
    const origin = new URL(site.url).origin;
    for (const quotaSize of [3 << 20, 200 << 20]) {
      await emptyStore(page, site.url);
      await client.send("Storage.overrideQuotaForOrigin", { origin, quotaSize });
      const loaded = await load();
      assert.ok(loaded.text, loaded.message);
      const { store } = loaded.info;
      const told = loaded.events.find(({ stage }) => stage === "store");
      if (quotaSize < 6 << 20) {
        assert.deepEqual(store, { kept: false, reason: "quota" });
        assert.equal(told?.reason, "quota");
        assert.deepEqual(await storedIn(page, site.url), []);
      } else {
        assert.deepEqual(store, { kept: true, reason: null }, JSON.stringify(told));
      }
    }
    await client.send("Storage.overrideQuotaForOrigin", { origin });
  });

  test("where there is no private file system the Cache API serves", async () => {
    const bare = await openBrowser({ webgpu: false });
    try {
      await bare.browser.addInitScript(() => {
        const line = 'Object.defineProperty(StorageManager.prototype, "getDirectory", { value: () => Promise.reject(new DOMException("no", "SecurityError")) });';
        const script = (text) => URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
        globalThis.eval(line);
        const Native = Worker;
        globalThis.Worker = function (address, options) {
          // Static imports run in order, and before the worker takes messages.
          return new Native(script(`import "${script(line)}"; import "${new URL(address, location.href).href}";`), options);
        };
      });
      await bare.page.goto(`${site.url}test/package.html`);
      const first = await loadOnce(bare.page, site.url, { model: `${server.url}mini/` });
      assert.ok(first.text, first.message);
      assert.deepEqual(first.info.store, { kept: true, reason: null });
      server.behave();
      const second = await loadOnce(bare.page, site.url, { model: `${server.url}mini/` });
      assert.deepEqual(second.text, first.text, second.message);
      assert.equal(weightBytes(), 0);
      const usage = await bare.page.evaluate(async (entry) => (await import(entry)).PromptLens.models.usage(), `${site.url}pkg/index.js`);
      assert.equal(usage.kind, "cache");
      await emptyStore(bare.page, site.url);
      assert.deepEqual(await storedIn(bare.page, site.url), []);
    } finally {
      await bare.close();
    }
  });

  test("switched off, nothing is kept", async () => {
    const loaded = await load({ store: false });
    assert.deepEqual(loaded.info.store, { kept: false, reason: "off" });
    assert.deepEqual(await storedIn(page, site.url), []);
  });

  test("files of a folder", async () => {
    const expected = (await load({ store: false })).text;
    server.behave();
    const answer = await page.evaluate(
      async ([entry, base]) => {
        const { PromptLens } = await import(entry);
        const names = ["config.json", "tokenizer.json", "preprocessor_config.json", "model.safetensors", "self_test.json"];
        const blobs = await Promise.all(names.map(async (name) => new File([await (await fetch(base + name)).blob()], name)));
        // A folder that the reader gave the page is one of these too.
        const root = await navigator.storage.getDirectory();
        const handle = await root.getDirectoryHandle("my-clip", { create: true });
        for (const file of blobs) {
          const stream = await (await handle.getFileHandle(file.name, { create: true })).createWritable();
          await stream.write(file);
          await stream.close();
        }
        const out = [];
        for (const model of [blobs, handle]) {
          const lens = await PromptLens.load({ model, device: "cpu" });
          out.push({ text: [...(await lens.embedText(["a photo of a cat."]))[0]], store: lens.info.store, model: lens.info.model });
          lens.free();
        }
        await root.removeEntry("my-clip", { recursive: true });
        const wrong = await PromptLens.load({ model: [new File(["x"], "x.txt")], device: "cpu" }).catch((error) => error.code);
        const table = await PromptLens.load({ model: { id: "no-such" }, device: "cpu" }).catch((error) => error.code);
        return { out, wrong, table };
      },
      [`${site.url}pkg/index.js`, `${server.url}mini/`],
    );
    for (const { text, store } of answer.out) {
      assert.deepEqual(text, expected);
      assert.deepEqual(store, { kept: false, reason: "local" });
    }
    assert.equal(answer.out[1].model, "my-clip");
    assert.deepEqual([answer.wrong, answer.table], ["config/missing", "options/invalid"]);
  });

  test("a damaged PyTorch file is refused, from an address and from a folder", async () => {
    for (const [name, bytes] of Object.entries(server.files)) {
      if (name.startsWith("mini/") && name !== WEIGHTS) server.files[name.replace("mini/", "torch/")] = bytes;
    }
    server.files["torch/pytorch_model.bin"] = Buffer.from("PK");
    const remote = await load({ model: `${server.url}torch/` });
    assert.equal(remote.code, "weights/invalid", remote.message);
    assert.match(remote.message, /PyTorch checkpoint .*ends early/);
    const local = await page.evaluate(
      async ([entry, base]) => {
        const { PromptLens } = await import(entry);
        const names = ["config.json", "tokenizer.json", "preprocessor_config.json", "pytorch_model.bin"];
        const files = await Promise.all(names.map(async (name) => new File([await (await fetch(base + name)).blob()], name)));
        return PromptLens.load({ model: files, device: "cpu" }).then(() => "loaded", (error) => error.code);
      },
      [`${site.url}pkg/index.js`, `${server.url}torch/`],
    );
    assert.equal(local, "weights/invalid");
  });

  test("the table's shapes are enforced before the weights", async () => {
    const table = await page.evaluate(async (entry) => JSON.parse(JSON.stringify((await import(entry)).PromptLens.models.table)), `${site.url}pkg/index.js`);
    assert.equal(table.find(({ id }) => id === "openai-vit-b-32").parameters, 151_277_313);
    assert.equal(table.find(({ id }) => id === "openai-vit-b-16").parameters, 149_620_737);
    const commit = "d".repeat(40);
    const [tiny] = table;
    const [{ repository }] = tiny.sources;
    const siblings = ["config.json", "tokenizer.json", "preprocessor_config.json", "model.safetensors"].map((rfilename) => ({ rfilename, size: server.files[`mini/${rfilename}`].length }));
    server.files[`api/models/${repository}/revision/main`] = Buffer.from(JSON.stringify({ sha: commit, siblings }));
    for (const { rfilename } of siblings) server.files[`${repository}/resolve/${commit}/${rfilename}`] = server.files[`mini/${rfilename}`];
    const outcome = await load({ model: { id: tiny.id }, hub: server.url });
    assert.equal(outcome.code, "config/invalid", outcome.message);
    assert.equal(weightBytes(), 0);
  });
});
