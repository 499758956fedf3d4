// Models from the hub as it really answers a browser: three origins, signed addresses, refusals.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { emptyStore, filesOf, loadOnce, sha256, storedIn } from "./faulty.mjs";
import { DIST, ENGINES, needsShared, openBrowser, openSite, PAGES, shared } from "./harness.mjs";
import { openHub } from "./hub.mjs";
import { torchOf } from "./torch.mjs";

const WEIGHTS = "model.safetensors";
const PLACE = "someone/clip";

for (const engine of ENGINES) describe(`the hub, in ${engine}`, { timeout: 900_000 }, () => {
  let site;
  let session;
  let page;
  let hub;
  let mini;
  const load = (options = {}) => loadOnce(page, site.url, { model: `hf:${PLACE}`, hub: hub.url, patience: { delay: 20 }, ...options });
  const works = async (options) => {
    const outcome = await load(options);
    assert.ok(outcome.text, `${outcome.code}: ${outcome.message}`);
    return outcome;
  };
  const refused = async (code, options) => {
    const outcome = await load(options);
    assert.equal(outcome.code, code, outcome.message);
    return outcome.message;
  };
  const asked = (name) => hub.requests.filter((request) => request.name === name);

  before(async () => {
    site = await openSite({ "": DIST, test: PAGES });
    session = await openBrowser({ engine, webgpu: false });
    page = session.page;
    await page.goto(`${site.url}test/package.html`);
    mini = await filesOf(join(DIST, "models/mini-vit"));
    const inside = Object.fromEntries(Object.entries(mini).map(([name, bytes]) => [`0_CLIPModel/${name}`, bytes]));
    hub = await openHub({
      [PLACE]: { files: mini },
      "someone/gated": { files: mini, gated: "auto" },
      "someone/sentences": { files: { "modules.json": Buffer.from("[]"), ...inside } },
      "someone/onnx": { files: { ...mini, [WEIGHTS]: undefined, "onnx/model.onnx": Buffer.from("x") } },
    });
    delete hub.repositories["someone/onnx"].files[WEIGHTS];
  });
  after(async () => {
    await session?.close();
    await hub?.close();
    await site?.close();
  });
  beforeEach(async () => {
    await emptyStore(page, site.url);
    hub.behave();
  });

  test("a model loads by way of redirects, and no server is told where the page is", async () => {
    const { info, events } = await works();
    assert.equal(info.store.kept, true);
    const weights = hub.requests.filter(({ place, name }) => typeof place === "number" && name === WEIGHTS);
    assert.ok(weights.length > 0);
    assert.ok(weights.every(({ origin }) => origin === "null"), "as behind every redirect to another origin");
    assert.deepEqual(hub.requests.filter(({ referer }) => referer !== null), []);
    const last = events.filter(({ stage }) => stage === "weights").at(-1);
    assert.deepEqual([last.loaded, last.total], [mini[WEIGHTS].length, mini[WEIGHTS].length]);
    const [{ source }] = await storedIn(page, site.url);
    assert.deepEqual([source.repository, source.commit], [PLACE, hub.commitOf(PLACE)]);
    hub.behave();
    await works();
    assert.deepEqual(hub.requests, [], "what is kept of a commit needs no question");
  });

  test("a repository is found by every form of its name", async () => {
    const { text } = await works({ store: false });
    for (const model of [`HF: ${PLACE}/`, `https://huggingface.co/${PLACE}`, `https://huggingface.co/${PLACE}/blob/main/config.json`, `hf.co/${PLACE}/tree/main`]) {
      assert.deepEqual((await works({ model, store: false })).text, text, model);
    }
    assert.deepEqual((await works({ model: "hf:someone/sentences/0_CLIPModel", store: false })).text, text);
    hub.behave();
    assert.match(await refused("options/invalid", { model: PLACE }), /hf:someone\/clip .* \.\/someone\/clip\//);
    assert.match(await refused("options/invalid", { model: "https://huggingface.co/datasets/a/b" }), /hf:owner\/name/);
    assert.deepEqual(hub.requests, [], "before any request");
    assert.match(await refused("config/missing", { model: "hf:someone/sentences" }), /0_CLIPModel/);
    assert.match(await refused("weights/missing", { model: "hf:someone/onnx" }), /ONNX/);
  });

  test("a refusal of a signed address is passed by asking the hub for another", async () => {
    hub.behave(({ place, count }) => (typeof place === "number" && count === 0 ? { status: 403 } : undefined));
    await works({ store: false });
    hub.behave(({ place, name, count }) => (place === "hub" && name === WEIGHTS && count === 0 ? { status: 408 } : undefined));
    await works({ store: false });
    // Every attempt is signed anew; one that is used a second time is refused.
    hub.behave(({ place, name, count }) => (typeof place === "number" && count < 2 ? { cut: 2_000_000 } : undefined), { expiry: 0 });
    await works({ store: false });
    hub.behave(({ place }) => (typeof place === "number" ? { status: 403 } : undefined));
    assert.match(await refused("network/failed", { store: false }), /answers 403/);
    assert.equal(asked(WEIGHTS).filter(({ place }) => place === "hub").length, 6, "and that ends");
  });

  test("a download goes on at the other network, whatever that calls the file", async () => {
    hub.behave(({ place }) => (typeof place === "number" ? { cut: 2_500_000 } : undefined));
    await works({ store: false });
    const networks = new Set(hub.requests.map(({ place }) => place).filter(Number.isInteger));
    assert.equal(networks.size, 2);
    assert.ok(asked(WEIGHTS).some(({ range }) => range !== null));
    // And in another session.
    hub.behave(({ place, name, count }) => {
      if (typeof place === "number" && count === 0) return { cut: 5_000_000 };
      return place === "hub" && name === WEIGHTS && count > 0 ? { status: 404 } : undefined;
    });
    await refused("network/failed");
    hub.behave();
    const { events } = await works();
    assert.ok(events.some(({ stage, source }) => stage === "weights" && source === "cache"), "kept pieces are used");
  });

  test("a server that counts requests is waited for, and tells it", async () => {
    const limited = { status: 429, headers: { RateLimit: '"api";r=0;t=16', "Access-Control-Expose-Headers": "RateLimit" } };
    hub.behave(({ place, count }) => (place === "api" && count === 0 ? limited : undefined));
    const { events, ready } = await works({ store: false });
    assert.ok(ready > 16_000);
    assert.deepEqual(events.find(({ stage }) => stage === "limited")?.secondsLeft, 16);
    // Longer than is worth it: say when.
    hub.behave(() => ({ ...limited, headers: { ...limited.headers, RateLimit: '"api";r=0;t=290' } }));
    const long = await refused("network/failed", { store: false, patience: { delay: 20, wait: 100_000 } });
    assert.match(long, /try again in 5 minutes/);
    assert.equal(hub.requests.length, 1);
    // The wait can be stopped.
    const stopped = await page.evaluate(
      async ([entry, address, model]) => {
        const { PromptLens } = await import(entry);
        const stop = new AbortController();
        const onProgress = ({ stage }) => stage === "limited" && stop.abort();
        return PromptLens.load({ model, hub: address, device: "cpu", signal: stop.signal, onProgress }).catch(({ code }) => code);
      },
      [`${site.url}pkg/index.js`, hub.url, `hf:${PLACE}`],
    );
    assert.equal(stopped, "engine/cancelled");
    // As the hub answers today, with nothing a page may read.
    hub.behave(() => ({ status: 429, headers: { RateLimit: '"api";r=0;t=55' } }));
    assert.match(await refused("network/failed", { store: false }), /try again in five minutes/);
  });

  test("missing, private and gated are told from a broken connection", async () => {
    assert.match(await refused("weights/missing", { model: "hf:someone/nothing" }), /private or gated/);
    assert.match(await refused("weights/missing", { model: "hf:someone/gated" }), /gated.*choose their folder/);
    assert.equal(asked("config.json").length, 0);
    // The next place of a model in the table is tried.
    const id = "openai-vit-b-32";
    const sources = await page.evaluate(async ([entry, id]) => (await import(entry)).PromptLens.models.table.find((row) => row.id === id).sources, [`${site.url}pkg/index.js`, id]);
    hub.behave();
    await refused("weights/missing", { model: { id } });
    assert.deepEqual(hub.requests.map(({ name }) => name), sources.map(({ repository }) => repository));
  });

  test("PyTorch's own file answers as the same weights in safetensors do", { skip: needsShared }, async () => {
    const { [WEIGHTS]: weights, ...small } = await filesOf(shared("models/mini-0"));
    const torch = torchOf(weights);
    hub.repositories["someone/plain"] = { files: { ...small, [WEIGHTS]: weights } };
    hub.repositories["someone/torch"] = { files: { ...small, "pytorch_model.bin": torch } };
    const plain = await works({ model: "hf:someone/plain", quantization: "q8", store: false });
    hub.behave(({ place, count }) => (typeof place === "number" && count === 0 ? { cut: 7_000_000 } : undefined));
    const first = await works({ model: "hf:someone/torch", quantization: "q8" });
    assert.deepEqual(first.text, plain.text);
    assert.equal(first.info.modelSha256, sha256(torch), "the hash is that of the file, which the hub knows");
    const [ours, theirs] = [first, plain].map(({ info }) => info.heapBytes.afterLoad);
    assert.ok(ours <= theirs + 16 * 1024 * 1024, `${ours} bytes, and ${theirs} for safetensors`);
    hub.behave();
    const second = await works({ model: "hf:someone/torch", quantization: "q8" });
    assert.deepEqual([second.text, hub.requests.length], [plain.text, 0]);
    // The hub's word for the hash is enforced here too, and nothing outside the list is read.
    const evil = Buffer.from(torch);
    evil.write("cposix\nsystem\n", evil.indexOf("ctorch._utils"));
    hub.repositories["someone/evil"] = { files: { ...small, "pytorch_model.bin": evil } };
    assert.match(await refused("weights/unsupported-format", { model: "hf:someone/evil" }), /posix\.system/);
    const legacy = Buffer.concat([Buffer.from("80028a0a6cfc9c46f9206aa850192e", "hex"), Buffer.alloc(2_000_000)]);
    hub.repositories["someone/legacy"] = { files: { ...small, "pytorch_model.bin": legacy } };
    assert.match(await refused("weights/unsupported-format", { model: "hf:someone/legacy" }), /before 1\.6/);
  });

  test("a host that compresses and announces the compressed length is understood", async () => {
    let always = true;
    const host = createServer((request, response) => {
      const bytes = mini[new URL(request.url, "http://x").pathname.slice(1)];
      const open = { "Access-Control-Allow-Origin": "*" };
      if (!bytes) return void response.writeHead(404, open).end();
      // A browser that asks for a range asks for it as it is.
      const from = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
      if (!always && from > 0) {
        if (from >= bytes.length) return void response.writeHead(416, open).end();
        return void response.writeHead(206, { ...open, "Content-Range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` }).end(bytes.subarray(from));
      }
      // Of incompressible bytes, the encoded form is the longer one.
      const zipped = gzipSync(bytes, { level: bytes.length < 1000 ? 0 : 6 });
      response.writeHead(200, { ...open, "Content-Encoding": "gzip", "Content-Length": zipped.length });
      response.end(request.method === "HEAD" ? undefined : zipped);
    });
    await new Promise((done) => host.listen(0, "127.0.0.1", done));
    try {
      const address = `http://127.0.0.1:${host.address().port}/`;
      const { text } = await works({ store: false });
      assert.deepEqual((await works({ model: address, store: false })).text, text);
      always = false;
      assert.deepEqual((await works({ model: address })).text, text);
      assert.deepEqual((await works({ model: address })).text, text, "and what was kept of it");
    } finally {
      host.closeAllConnections();
      await new Promise((done) => host.close(done));
    }
  });
});
