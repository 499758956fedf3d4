// A browser without a WebGPU adapter.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { DIST, needsShared, openBrowser, openSite, PAGES } from "./harness.mjs";
import { classifyInPage, LABELS, loadPackage, photo } from "./support.mjs";

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
    const outcome = await loadPackage(session.page, site.url, { model: "../models/mini/", device: "webgpu" });
    assert.equal(outcome.code, "gpu/unavailable");
    assert.equal(outcome.name, "PromptLensError");
  });

  test('device "auto" takes the CPU, says why, and answers', async () => {
    const { info, message } = await loadPackage(session.page, site.url, { model: "../models/mini/", device: "auto" });
    assert.equal(message, undefined);
    assert.equal(info.device.kind, "cpu");
    assert.ok(info.device.reason?.length > 10, `reason: ${info.device.reason}`);
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
    assert.match(await page.textContent("#status-detail"), /not on WebGPU: .{10}/);
    await page.setInputFiles("#files", await photo("imagenette", "test/parachute/"));
    await page.waitForSelector(".card[data-state=done]");
    assert.match(await page.textContent(".ran"), /^ran on CPU/);
  });
});
