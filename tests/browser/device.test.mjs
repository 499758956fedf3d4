// Which device an engine takes, and the reason that it gives: with a software adapter, without any, and
// where the adapter is not what it should be.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { DIST, needsShared, openBrowser, openSite, PAGES } from "./harness.mjs";
import { classifyInPage, LABELS, loadPackage, photo } from "./support.mjs";

const MODEL = "../models/mini-vit/";

/** What an engine says of its device, or its rejection, in a worker where the script `before` ran first. */
function deviceOf(page, site, device, before) {
  return page.evaluate(
    async ([entry, model, device, before]) => {
      const { PromptLens } = await import(entry);
      const script = `import "data:text/javascript,${encodeURIComponent(before)}";\nimport ${JSON.stringify(new URL("worker.js", entry).href)};`;
      const url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
      try {
        const lens = await PromptLens.load({ model, device, worker: new Worker(url, { type: "module" }) });
        const { kind, reason } = lens.info.device;
        lens.free();
        return { kind, reason };
      } catch ({ code, message }) {
        return { code, message };
      } finally {
        URL.revokeObjectURL(url);
      }
    },
    [`${site.url}pkg/index.js`, MODEL, device, before],
  );
}

const NO_GPU = 'Object.defineProperty(WorkerNavigator.prototype, "gpu", { value: undefined });';
const INSECURE = 'Object.defineProperty(self, "isSecureContext", { value: false });';
const REFUSED = 'GPU.prototype.requestAdapter = () => Promise.reject(new Error("busy"));';
const NO_TIMESTAMPS = `const { has } = GPUSupportedFeatures.prototype;
GPUSupportedFeatures.prototype.has = function (name) { return name !== "timestamp-query" && has.call(this, name); };`;
/** Passes the software adapter off as a real one when it is first asked: by the probe, and not by what chooses kernels. */
const REAL = `let asked = false;
Object.defineProperty(GPUAdapterInfo.prototype, "isFallbackAdapter", { get: () => asked || !(asked = true) });
`;
/** Every product comes out wrong, as on an adapter whose compiler is. */
const WRONG = `const { createShaderModule } = GPUDevice.prototype;
GPUDevice.prototype.createShaderModule = function (shader) {
  return createShaderModule.call(this, { ...shader, code: shader.code.replace("var value = sum + b;", "var value = sum + b + 0.5;") });
};`;

const unavailable = (why) => `WebGPU cannot be used here: ${why}. Choose the device "auto" or "cpu".`;
const WRONG_VALUES = /^This device computes wrong values for a known answer \(error \d\.\d+e-?\d+\), so it will not answer\. Reload, or choose the device "cpu"\.$/;

describe("the device and its reason", { timeout: 300_000 }, () => {
  let site;
  let session;

  before(async () => {
    site = await openSite({ "": DIST, test: PAGES });
    session = await openBrowser();
    await session.page.goto(`${site.url}test/package.html`);
  });
  after(async () => {
    await session?.close();
    await site?.close();
  });

  for (const [where, device, before, kind, reason] of [
    ["with a software adapter", "auto", "", "cpu", "the WebGPU adapter is a software one, which is slower than the CPU"],
    ["with a software adapter", "webgpu", "", "webgpu", "WebGPU was asked for"],
    ["with a software adapter", "cpu", "", "cpu", "the CPU was asked for"],
    ["with a real adapter", "auto", REAL, "webgpu", "a WebGPU adapter is there"],
    ["with a real adapter that computes wrong values", "auto", REAL + WRONG, "cpu", WRONG_VALUES],
    ["in a browser without WebGPU", "auto", NO_GPU, "cpu", "this browser has no WebGPU"],
    ["on a page that is not secure", "auto", INSECURE, "cpu", "WebGPU needs a page served over HTTPS or from localhost"],
    ["where the browser refuses", "auto", REFUSED, "cpu", "the browser refused an adapter (busy)"],
    ["without timestamp-query", "auto", NO_TIMESTAMPS, "cpu", "the WebGPU adapter lacks timestamp-query"],
  ]) {
    test(`"${device}" ${where} takes ${kind}`, async () => {
      const found = await deviceOf(session.page, site, device, before);
      assert.equal(found.kind, kind, found.message);
      if (reason instanceof RegExp) assert.match(found.reason, reason);
      else assert.equal(found.reason, reason);
    });
  }

  for (const [where, before, code, message] of [
    ["computes wrong values", WRONG, "gpu/self-test-failed", WRONG_VALUES],
    ["is not there", NO_GPU, "gpu/unavailable", unavailable("this browser has no WebGPU")],
    ["lacks timestamp-query", NO_TIMESTAMPS, "gpu/unavailable", unavailable("the WebGPU adapter lacks timestamp-query")],
  ]) {
    test(`"webgpu" is refused where it ${where}`, async () => {
      const found = await deviceOf(session.page, site, "webgpu", before);
      assert.equal(found.code, code);
      if (message instanceof RegExp) assert.match(found.message, message);
      else assert.equal(found.message, message);
    });
  }
});

/** Chromium has `navigator.gpu` without an adapter too. */
const NO_ADAPTER = "this browser has WebGPU but offers no adapter for it";

describe("without WebGPU", { skip: needsShared, timeout: 900_000 }, () => {
  let site;
  let session;

  before(async () => {
    site = await openSite({ "": DIST, test: PAGES });
    session = await openBrowser({ webgpu: false });
  });
  after(async () => {
    await session?.close();
    await site?.close();
  });

  test('device "webgpu" is refused', async () => {
    const outcome = await loadPackage(session.page, site.url, { model: MODEL, device: "webgpu" });
    assert.equal(outcome.code, "gpu/unavailable");
    assert.equal(outcome.message, unavailable(NO_ADAPTER));
    assert.equal(outcome.name, "PromptLensError");
  });

  test('device "auto" takes the CPU, says why, and answers', async () => {
    const { info, message } = await loadPackage(session.page, site.url, { model: MODEL, device: "auto" });
    assert.equal(message, undefined);
    assert.equal(info.device.kind, "cpu");
    assert.equal(info.device.reason, NO_ADAPTER);
    assert.equal(info.gpuDispatches, 0);
    const { buffer } = await photo("imagenette", "test/parachute/");
    const { predictions } = await classifyInPage(session.page, LABELS, buffer);
    assert.equal(predictions.length, LABELS.length);
  });

  test("the page offers the CPU when WebGPU was asked for", async () => {
    const { page } = session;
    await page.goto(`${site.url}?device=webgpu`);
    await page.waitForSelector("#status[data-state=failed]");
    assert.equal(await page.textContent("#status-error-code"), "gpu/unavailable");
    assert.equal(await page.evaluate(() => document.activeElement.id), "status-error");
    await page.click("#use-cpu");
    await page.waitForSelector("#status[data-state=ready]");
    assert.equal(await page.textContent("#status-text"), "Ready on CPU");
  });

  test("the page says why it runs on the CPU", async () => {
    const { page } = session;
    await page.goto(site.url);
    await page.waitForSelector("#status[data-state=ready]");
    assert.ok((await page.textContent("#status-detail")).includes(`not on WebGPU: ${NO_ADAPTER}`));
    await page.setInputFiles("#files", await photo("imagenette", "test/parachute/"));
    await page.waitForSelector(".card[data-state=done]");
    assert.match(await page.textContent(".ran"), /^ran on CPU/);
  });
});
