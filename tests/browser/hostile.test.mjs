// A server that fails in every way: loading goes on, or is refused with the right code, and the next
// start works. Nothing wrong is ever kept.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { cli, DIST, openBrowser, openSite, PAGES } from "./harness.mjs";
import { emptyStore, filesOf, loadOnce, serveFaulty, sha256, storedIn } from "./faulty.mjs";

const WEIGHTS = "mini/model.safetensors";
/** Short waits, so that giving up takes no minutes. */
const patience = { retries: 3, delay: 20, stall: 1500 };

describe("a server that fails", { timeout: 900_000 }, () => {
  let site;
  let session;
  let page;
  let server;
  let folder;
  let reference;
  const load = (options = {}) => loadOnce(page, site.url, { model: `${server.url}mini/`, patience, ...options });
  const size = () => server.files[WEIGHTS].length;
  const works = async (options) => {
    server.behave();
    const loaded = await load(options);
    assert.deepEqual(loaded.text, reference, loaded.message ?? "another answer");
    return loaded;
  };
  const refused = async (code, options) => {
    const outcome = await load(options);
    assert.equal(outcome.code, code, outcome.message ?? "it loaded");
    assert.ok(outcome.message.length > 20);
    const kept = await storedIn(page, site.url);
    assert.ok(kept.every(({ complete }) => !complete), "nothing half is kept as whole");
  };

  before(async () => {
    site = await openSite({ "": DIST, test: PAGES });
    session = await openBrowser({ webgpu: false });
    page = session.page;
    await page.goto(`${site.url}test/package.html`);
    folder = await mkdtemp(join(tmpdir(), "promptlens-hostile-"));
    const mini = join(DIST, "models/mini-vit");
    assert.equal((await cli("convert", "--model", mini, "--quant", "q8", "--out", join(folder, "pack"))).quant, "q8");
    const files = {};
    for (const [name, bytes] of Object.entries(await filesOf(mini))) files[`mini/${name}`] = bytes;
    for (const [name, bytes] of Object.entries(await filesOf(join(folder, "pack")))) files[`pack/${name}`] = bytes;
    server = await serveFaulty(files);
    reference = (await load({ store: false })).text;
    assert.equal(reference?.length, 512);
  });
  after(async () => {
    await session?.close();
    await server?.close();
    await site?.close();
    if (folder) await rm(folder, { recursive: true });
  });

  test("cuts at every quarter are resumed where they were", async () => {
    await emptyStore(page, site.url);
    const quarter = Math.floor(size() / 4);
    server.behave((name, count) => (name === WEIGHTS && count < 3 ? { cut: quarter } : undefined));
    const loaded = await load();
    assert.deepEqual(loaded.text, reference, loaded.message);
    const asked = server.requests.filter(({ name, method }) => name === WEIGHTS && method === "GET").map(({ from }) => from);
    assert.deepEqual(asked, [0, quarter, 2 * quarter, 3 * quarter]);
    assert.equal(server.sent[WEIGHTS], size(), "no byte came twice");
    const weights = loaded.events.filter(({ stage }) => stage === "weights");
    assert.ok(weights.at(-1).bytesPerSecond > 0 && weights.at(-1).secondsLeft === 0);
    assert.ok(weights.every(({ total }) => total === size()));
    assert.equal(loaded.info.store.kept, true);
  });

  test("stalls, ignored ranges and errors that pass", async () => {
    const half = Math.floor(size() / 2);
    const passing = {
      stall: (count) => (count === 0 ? { stall: half } : undefined),
      "ignored range": (count) => (count === 0 ? { cut: half } : { whole: true }),
      500: (count) => (count === 0 ? { status: 500 } : undefined),
      "503 with a wait": (count) => (count === 0 ? { status: 503, headers: { "Retry-After": "0" } } : undefined),
      "another version midway": (count) => (count === 0 ? { cut: half, etag: '"old"' } : undefined),
      "a 416 midway": (count) => [{ cut: half }, { status: 416 }][count],
      // A host may announce the length of what it compressed: the file itself says where it ends.
      "a length that is too long": () => ({ length: size() + 1000 }),
      "a length that is too short": () => ({ length: half }),
      redirect: (count) => (count === 0 ? { status: 302, headers: { Location: `${server.url}elsewhere` } } : undefined),
    };
    server.files.elsewhere = server.files[WEIGHTS];
    for (const [what, fault] of Object.entries(passing)) {
      await emptyStore(page, site.url);
      server.behave((name, count) => (name === WEIGHTS ? fault(count) : undefined));
      const loaded = await load();
      assert.deepEqual(loaded.text, reference, `${what}: ${loaded.code} ${loaded.message}`);
      await works();
    }
  });

  test("errors that stay are refused, and the next start works", async () => {
    const lasting = {
      "always cut at once": ["network/failed", WEIGHTS, { cut: 100 }],
      "always stalls": ["network/failed", WEIGHTS, { stall: 0 }],
      404: ["weights/missing", WEIGHTS, { status: 404 }],
      403: ["network/failed", WEIGHTS, { status: 403 }],
      416: ["network/failed", WEIGHTS, { status: 416 }],
      500: ["network/failed", WEIGHTS, { status: 500 }],
      "no CORS": ["network/failed", WEIGHTS, { closed: true }],
      "no CORS at all": ["network/failed", "mini/config.json", { closed: true }],
      "a configuration that is absent": ["config/missing", "mini/config.json", { status: 404 }],
      "a tokenizer that is absent": ["tokenizer/missing", "mini/tokenizer.json", { status: 404 }],
      "a tokenizer with a wrong byte": ["tokenizer/invalid", "mini/tokenizer.json", { flip: 0 }],
      "a header with a wrong byte": ["weights/invalid", WEIGHTS, { flip: 8 }],
      "redirects without end": ["network/failed", WEIGHTS, { status: 302, headers: { Location: `/${WEIGHTS}` } }],
    };
    for (const [what, [code, file, fault]] of Object.entries(lasting)) {
      await test(what, async () => {
        await emptyStore(page, site.url);
        server.behave((name) => (name === file ? fault : undefined));
        await refused(code);
        await works();
      });
    }
  });

  test("a wrong byte that only the self-test sees is not kept", async () => {
    await emptyStore(page, site.url);
    const weights = server.files[WEIGHTS];
    const start = 8 + Number(weights.readBigUInt64LE(0));
    const header = JSON.parse(weights.subarray(8, start).toString());
    const [from] = header["visual_projection.weight.scales"].data_offsets;
    // The top bit of a scale's exponent: 65536 times what it was.
    server.behave((name) => (name === WEIGHTS ? { flip: start + from + 1 } : undefined));
    await refused("gpu/self-test-failed");
    const loaded = await works();
    assert.equal(server.sent[WEIGHTS], size(), "it came anew");
    assert.equal(loaded.info.store.kept, true);
  });

  test("a pack's wrong byte is asked for again, and refused where it stays wrong", async () => {
    const chunk = Object.keys(server.files).find((name) => name.startsWith("pack/weights-00001"));
    const model = `${server.url}pack/`;
    await emptyStore(page, site.url);
    server.behave((name, count) => (name === chunk && count === 0 ? { flip: 1000 } : undefined));
    const loaded = await load({ model });
    assert.deepEqual(loaded.text, reference, loaded.message);
    assert.equal(server.requests.filter(({ name }) => name === chunk).length, 2);
    await emptyStore(page, site.url);
    server.behave((name) => (name === chunk ? { flip: 1000 } : undefined));
    await refused("weights/invalid", { model });
    await works({ model });
    // What was kept is damaged on the disk: it is fetched anew.
    await page.evaluate(async () => {
      const root = await (await navigator.storage.getDirectory()).getDirectoryHandle("promptlens");
      for await (const [, folder] of root.entries()) {
        for await (const [name, handle] of folder.entries()) {
          if (!name.startsWith("weights-00001")) continue;
          const stream = await handle.createWritable({ keepExistingData: true });
          await stream.write({ type: "write", position: 77, data: new Uint8Array([1, 2, 3, 4]) });
          await stream.close();
        }
      }
    });
    const again = await works({ model });
    assert.ok(again.events.some(({ stage, source }) => stage === "weights" && source === "network"));
    assert.equal(again.info.store.kept, true);
  });

  test("what the hub says is enforced, then and later", async () => {
    const commit = "c".repeat(40);
    const list = (weights) => ({
      sha: commit,
      siblings: ["config.json", "tokenizer.json", "preprocessor_config.json", "model.safetensors"].map((rfilename) => ({
        rfilename,
        size: server.files[`mini/${rfilename}`].length,
        ...(rfilename === "model.safetensors" && { lfs: { sha256: weights } }),
      })),
    });
    const publish = (sha, weights) => {
      server.files[`api/models/someone/mini/revision/${sha}`] = Buffer.from(JSON.stringify(list(weights)));
      for (const name of ["config.json", "tokenizer.json", "preprocessor_config.json", "model.safetensors"]) {
        server.files[`someone/mini/resolve/${commit}/${name}`] = server.files[`mini/${name}`];
      }
    };
    const real = sha256(server.files[WEIGHTS]);
    const options = { model: "hf:someone/mini", hub: server.url.slice(0, -1) };
    await emptyStore(page, site.url);
    publish("main", "0".repeat(64));
    server.behave();
    await refused("weights/invalid", options);
    publish("main", real);
    const first = await works(options);
    const [kept] = await storedIn(page, site.url);
    assert.equal(kept.source.commit, commit);
    assert.equal(kept.source.repository, "someone/mini");
    // A second visit asks the hub for nothing at all.
    const second = await works(options);
    assert.deepEqual(server.requests, []);
    assert.equal(second.info.modelSha256, first.info.modelSha256);
    // Deleted and loaded again, it must be the very commit and file of the first time.
    await page.evaluate(
      async ([entry, id]) => (await import(entry)).PromptLens.models.delete(id),
      [`${site.url}pkg/index.js`, kept.id],
    );
    publish(commit, "1".repeat(64));
    server.behave((name) => (name.endsWith("model.safetensors") ? { flip: size() - 5 } : undefined));
    await refused("weights/invalid", options);
    await works(options);
    assert.equal((await load({ model: "hf:../etc", hub: options.hub })).code, "options/invalid");
    delete server.files["api/models/someone/mini/revision/main"];
    await emptyStore(page, site.url);
    server.behave();
    await refused("weights/missing", options);
  });
});
