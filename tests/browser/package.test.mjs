// The package on a bare page in Chromium on WebGPU, as a web developer uses it.
import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { cli, cosine, DIST, needsShared, openBrowser, openSite, PAGES, readSafetensors, recordRequests, row, shared } from "./harness.mjs";
import { classifyInPage, comparePredictions, LABELS, loadPackage, photo, TEMPLATE } from "./support.mjs";

describe("package", { skip: needsShared, timeout: 900_000 }, () => {
  let site;
  let session;
  let page;
  let loaded;

  before(async () => {
    site = await openSite({ "": DIST, test: PAGES, "models/mini-0": shared("models/mini-0") });
    session = await openBrowser();
    page = session.page;
    loaded = await loadPackage(page, site.url, { model: "../models/mini-vit/", device: "webgpu" });
  });
  after(async () => {
    await session?.close();
    await site?.close();
  });

  test("loads on WebGPU, passes its self-test, and tells its progress", () => {
    assert.equal(loaded.message, undefined);
    const { info, events } = loaded;
    assert.equal(info.device.kind, "webgpu");
    assert.equal(info.device.vendor, "google");
    assert.equal(info.device.architecture, "swiftshader");
    assert.equal(info.device.fallback, true);
    assert.equal(info.quantization, "q8");
    assert.equal(info.selfTest.passed, true);
    assert.ok(info.selfTest.maxError < 0.05, `self-test error ${info.selfTest.maxError}`);
    assert.ok(info.gpuDispatches > 0);
    assert.match(info.version, /^\d+\.\d+\.\d+/);
    for (const { stage, loaded: done, total, source } of events) {
      assert.equal(typeof stage, "string");
      assert.ok(["network", "cache"].includes(source), `${stage}: ${source}`);
      assert.ok(total === null || done <= total, `${stage}: ${done} of ${total}`);
    }
    assert.ok(events.some(({ stage, loaded: done }) => stage === "engine" && done > 1e6));
    assert.ok(events.some(({ stage, loaded: done }) => stage === "weights" && done > 1e6));
  });

  test("classifies as the command line does on the CPU", async () => {
    const church = await photo("imagenette", "test/church/");
    const before = await page.evaluate(() => window.lens.info.gpuDispatches);
    const result = await classifyInPage(page, LABELS, church.buffer, { templates: [TEMPLATE] });
    assert.equal(result.message, undefined);
    assert.ok(result.info.gpuDispatches > before, "nothing ran on the GPU");
    const file = join(site.folder, church.name);
    await writeFile(file, church.buffer);
    const model = join(DIST, "models/mini-vit");
    const answer = await cli("classify", "--model", model, "--device", "cpu", "--labels", LABELS.join(","), "--template", TEMPLATE, file);
    comparePredictions(assert, result.predictions, answer.results[0].predictions, 0.01);

    const probabilities = result.predictions.map(({ probability }) => probability);
    assert.deepEqual(probabilities, [...probabilities].sort((a, b) => b - a));
    assert.ok(Math.abs(probabilities.reduce((a, b) => a + b) - 1) < 1e-5);
    assert.ok(result.timings.total > 0);
  });

  test("features agree with the reference", async () => {
    const { tensors, metadata } = await readSafetensors(shared("fixtures/mini/expected.safetensors"));
    const images = (await readdir(shared("fixtures/mini"))).filter((name) => name.endsWith(".png")).sort();
    assert.equal(images.length, tensors.image_embeds.shape[0]);
    // The model that the reference is of, whichever one the page ships.
    await page.evaluate(async (base) => {
      const { PromptLens } = await import(`${base}pkg/index.js`);
      window.reference = await PromptLens.load({ model: `${base}models/mini-0/`, device: "webgpu", quantization: "q8" });
    }, site.url);
    for (const [i, name] of images.entries()) {
      const base64 = (await readFile(shared(`fixtures/mini/${name}`))).toString("base64");
      const feature = await page.evaluate(async (data) => {
        const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
        return [...(await window.reference.embedImage(new Blob([bytes])))];
      }, base64);
      const similarity = cosine(feature, row(tensors.image_embeds, i));
      assert.ok(similarity >= 0.999, `${name}: cosine ${similarity}`);
      assert.ok(Math.abs(Math.hypot(...feature) - 1) < 1e-5, `${name} is not normalised`);
    }
    const texts = JSON.parse(metadata.labels).map((label) => metadata.template.replace("{}", label));
    const features = await page.evaluate(async (list) => (await window.reference.embedText(list)).map((f) => [...f]), texts);
    for (const [i, feature] of features.entries()) {
      const similarity = cosine(feature, row(tensors.text_embeds, i));
      assert.ok(similarity >= 0.999, `${texts[i]}: cosine ${similarity}`);
      assert.ok(Math.abs(Math.hypot(...feature) - 1) < 1e-5, `${texts[i]} is not normalised`);
    }
    await page.evaluate(() => window.reference.free());
  });

  test("a class list is computed once and serves many images", async () => {
    const { buffer } = await photo("cifar10", "test/ship/");
    const runs = await page.evaluate(
      async ([labels, base64]) => {
        const blob = new Blob([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))]);
        const classes = await window.lens.classes(labels);
        const start = window.lens.info.gpuDispatches;
        const first = await classes.classify(blob);
        const middle = window.lens.info.gpuDispatches;
        const second = await classes.classify(await blob.arrayBuffer());
        const end = window.lens.info.gpuDispatches;
        classes.free();
        return { first: first.predictions, second: second.predictions, once: middle - start, again: end - middle };
      },
      [LABELS, buffer.toString("base64")],
    );
    assert.deepEqual(runs.first, runs.second);
    assert.equal(runs.once, runs.again);
  });

  test("stops when asked, and works on", async () => {
    const { buffer } = await photo("cifar10", "test/dog/");
    const codes = await page.evaluate(
      async ([labels, base64]) => {
        const blob = new Blob([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))]);
        const classes = await window.lens.classes(labels);
        const code = (promise) => promise.then(() => "answered", (error) => error.code);
        const now = AbortSignal.abort();
        const soon = new AbortController();
        const calls = [
          code(classes.classify(blob, { signal: now })),
          code(classes.classify(blob, { signal: soon.signal })),
          code(classes.classify(blob, { signal: soon.signal })),
          code(classes.classify(blob)),
        ];
        soon.abort();
        return Promise.all(calls);
      },
      [LABELS, buffer.toString("base64")],
    );
    assert.deepEqual(codes, ["engine/cancelled", "engine/cancelled", "engine/cancelled", "answered"]);
  });

  test("what was freed says so", async () => {
    const codes = await page.evaluate(async () => {
      const code = (promise) => promise.then(() => "answered", (error) => `${error.name} ${error.code}`);
      const classes = await window.lens.classes(["cat"]);
      classes.free();
      const first = await code(classes.classify(new Blob(["x"])));
      const waiting = code(window.lens.embedText(["a cat"]));
      window.lens.free();
      return [first, await waiting, await code(window.lens.classes(["cat"]))];
    });
    assert.deepEqual(codes, Array(3).fill("PromptLensError engine/freed"));
  });

  test("works when it is hosted on another origin", async () => {
    const cdn = await openSite({ pkg: join(DIST, "pkg") }, { headers: { "Access-Control-Allow-Origin": "*" } });
    try {
      await page.goto(`${site.url}test/package.html`);
      const requests = recordRequests(session.browser);
      const load = () =>
        page.evaluate(async (entry) => {
          const { PromptLens } = await import(entry);
          const lens = await PromptLens.load({ model: "../models/mini-vit/", device: "cpu" });
          const [feature] = await lens.embedText(["a cat"]);
          lens.free();
          return { kind: lens.info.device.kind, feature: [...feature] };
        }, `${cdn.url}pkg/index.js`);
      const outcome = await load();
      assert.equal(outcome.kind, "cpu");
      assert.ok(Math.abs(Math.hypot(...outcome.feature) - 1) < 1e-5);
      // A page compiles the engine once.
      assert.deepEqual(await load(), outcome);
      assert.equal(requests.filter((url) => url === `${cdn.url}pkg/promptlens_bg.wasm`).length, 1);
    } finally {
      await cdn.close();
    }
  });
});
