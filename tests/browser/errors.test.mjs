// Bad input through the package: each gets its code, and the next good image is answered as before.
import assert from "node:assert/strict";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { DIST, needsShared, openBrowser, openSite, PAGES, shared } from "./harness.mjs";
import { badFiles, classifyInPage, LABELS, loadPackage, photo } from "./support.mjs";

describe("bad input", { skip: needsShared, timeout: 900_000 }, () => {
  let site;
  let session;
  let page;
  let good;
  let reference;

  before(async () => {
    site = await openSite({ "": DIST, test: PAGES, "fixtures/tiny": shared("fixtures/tiny-rand") });
    session = await openBrowser({ webgpu: false });
    page = session.page;
    const loaded = await loadPackage(page, site.url, { model: "../models/mini-vit/", device: "cpu" });
    assert.equal(loaded.message, undefined);
    good = (await photo("imagenette", "test/golf ball/")).buffer;
    reference = (await classifyInPage(page, LABELS, good)).predictions;
    assert.equal(reference.length, LABELS.length);
  });
  after(async () => {
    await session?.close();
    await site?.close();
  });

  const goodStillWorks = async () =>
    assert.deepEqual((await classifyInPage(page, LABELS, good)).predictions, reference);
  const refused = (outcome, code, what) => {
    assert.equal(outcome.code, code, `${what}: ${outcome.code} ${outcome.message}`);
    assert.equal(outcome.name, "PromptLensError");
    assert.ok(outcome.message.length > 10, `${what}: no sentence`);
  };

  test("files", async () => {
    for (const [what, bytes, code] of await badFiles()) {
      refused(await classifyInPage(page, LABELS, bytes), code, what);
      await goodStillWorks();
    }
  });

  test("a file over the size limit is refused before it is read", async () => {
    const code = await page.evaluate(async () => {
      const piece = new Blob([new Uint8Array(1 << 20)]);
      const large = new Blob(Array(65).fill(piece));
      return window.lens.embedImage(large).catch((error) => error.code);
    });
    assert.equal(code, "image/too-large");
    await goodStillWorks();
  });

  test("class lists and templates", async () => {
    refused(await classifyInPage(page, [], good), "labels/empty", "no names");
    refused(await classifyInPage(page, ["  "], good), "labels/empty", "a blank name");
    refused(await classifyInPage(page, ["cat", "dog", "cat"], good), "labels/duplicate", "a name twice");
    refused(await classifyInPage(page, ["cat", "x".repeat(100_000)], good), "labels/too-long", "a name of 100 kB");
    refused(await classifyInPage(page, LABELS, good, { templates: ["a photo"] }), "prompt/invalid-template", "no {}");
    refused(await classifyInPage(page, "cat,dog", good), "options/invalid", "a string of names");
    refused(await classifyInPage(page, ["cat", 7], good), "options/invalid", "a number as a name");
    await goodStillWorks();

    const one = await classifyInPage(page, ["cat"], good);
    assert.deepEqual(one.predictions, [{ label: "cat", probability: 1 }]);
    const strange = ["<b>cat</b>", "<|endoftext|>", "<|startoftext|> dog", "Ünïcödé 🐈", "\u202Eright to left"];
    const { predictions } = await classifyInPage(page, strange, good);
    assert.deepEqual(predictions.map(({ label }) => label).sort(), [...strange].sort());
    for (const { label, probability } of predictions) {
      assert.ok(probability > 0 && probability < 1, `${label}: ${probability}`);
    }
    await goodStillWorks();
  });

  test("arguments", async () => {
    const codes = await page.evaluate(async () => {
      const code = (promise) => promise.then(() => "answered", (error) => error.code);
      const classes = await window.lens.classes(["cat", "dog"]);
      return {
        noImage: await code(classes.classify(undefined)),
        address: await code(classes.classify("photo.jpg")),
        uncloneable: await code(classes.classify(new Blob(["x"]), { tune: () => {} })),
        texts: await code(window.lens.embedText("a cat")),
      };
    });
    assert.deepEqual(new Set(Object.values(codes)), new Set(["options/invalid"]), JSON.stringify(codes));
    await goodStillWorks();
  });

  test("models", async () => {
    const tiny = (file) => join(site.folder, "fixtures/tiny", file);
    const weights = await readFile(tiny("model.safetensors"));
    const broken = {
      "no-config": ["config/missing", { "config.json": null }],
      "bad-config": ["config/invalid", { "config.json": "{ not json" }],
      "no-tokenizer": ["tokenizer/missing", { "tokenizer.json": null }],
      "bad-tokenizer": ["tokenizer/invalid", { "tokenizer.json": "{}" }],
      "no-weights": ["weights/missing", { "model.safetensors": null }],
      "cut-weights": ["weights/invalid", { "model.safetensors": weights.subarray(0, weights.length - 1000) }],
      "missing-tensor": ["weights/missing-tensor", { "model.safetensors": rewrite(weights, ["visual_projection.weight", () => null]) }],
      "wrong-shape": [
        "weights/wrong-shape",
        { "model.safetensors": rewrite(weights, ["visual_projection.weight", (entry) => ({ ...entry, shape: entry.shape.toReversed() })]) },
      ],
    };
    for (const [name, [code, changes]] of Object.entries(broken)) {
      const folder = join(site.folder, "fixtures", name);
      await mkdir(folder, { recursive: true });
      for (const file of ["config.json", "preprocessor_config.json", "tokenizer.json", "model.safetensors"]) {
        const content = file in changes ? changes[file] : await readFile(tiny(file));
        if (content !== null) await writeFile(join(folder, file), content);
      }
      const outcome = await page.evaluate(
        async ([entry, model]) => {
          const { PromptLens } = await import(entry);
          return PromptLens.load({ model, device: "cpu", quantization: "none" }).then(
            () => ({ message: "loaded" }),
            (error) => ({ code: error.code, message: error.message, name: error.name }),
          );
        },
        [`${site.url}pkg/index.js`, `../fixtures/${name}/`],
      );
      refused(outcome, code, name);
      await rm(folder, { recursive: true });
    }
    await goodStillWorks();
  });

  test("load options", async () => {
    const codes = await page.evaluate(async (entry) => {
      const { PromptLens } = await import(entry);
      const code = (options) => PromptLens.load(options).then(() => "loaded", (error) => error.code);
      const model = "../models/mini-vit/";
      return {
        none: await code(undefined),
        device: await code({ model, device: "abacus" }),
        quantization: await code({ model, device: "cpu", quantization: "q1" }),
        cancelled: await code({ model, device: "cpu", signal: AbortSignal.timeout(1) }),
      };
    }, `${site.url}pkg/index.js`);
    assert.deepEqual(codes, {
      none: "options/invalid",
      device: "options/invalid",
      quantization: "options/invalid",
      cancelled: "engine/cancelled",
    });
  });
});

/** A safetensors file with one tensor's entry changed, or dropped with its bytes where `change` gives `null`. */
function rewrite(bytes, [target, change]) {
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, start).toString());
  const next = {};
  const data = [];
  let offset = 0;
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") {
      next[name] = entry;
      continue;
    }
    const kept = name === target ? change(entry) : entry;
    if (kept === null) continue;
    const [from, to] = entry.data_offsets;
    data.push(bytes.subarray(start + from, start + to));
    next[name] = { ...kept, data_offsets: [offset, (offset += to - from)] };
  }
  if (JSON.stringify(next) === JSON.stringify(header)) throw new Error(`the file has no ${target}`);
  const text = Buffer.from(JSON.stringify(next));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, ...data]);
}
