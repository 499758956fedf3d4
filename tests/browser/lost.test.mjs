// A GPU device that is lost while a photo is tuned, or an engine that traps: the call ends with a code,
// so do later ones, and the page goes on from there.
import assert from "node:assert/strict";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { DIST, needsShared, openBrowser, openSite, PAGES } from "./harness.mjs";
import { looks } from "./looks.mjs";
import { LABELS, photo } from "./support.mjs";

/** A site whose engine meets `mishap` half-way through `stage`, or any of several with `|` between. */
async function ruined(mishap, stage) {
  const site = await openSite({ "": DIST, test: PAGES });
  const pkg = join(site.folder, "pkg");
  await rename(join(pkg, "worker.js"), join(pkg, "real-worker.js"));
  await writeFile(join(pkg, "mishap.js"), (await readFile(join(PAGES, mishap), "utf8")).replace("STAGE", stage));
  // Both run before the worker's first message is delivered.
  await writeFile(join(pkg, "worker.js"), 'import "./mishap.js";\nimport "./real-worker.js";\n');
  return site;
}

describe("a lost device", { skip: needsShared, timeout: 600_000 }, () => {
  let session;
  let church;

  before(async () => {
    session = await openBrowser();
    church = (await photo("imagenette", "test/church/")).buffer.toString("base64");
  });
  after(() => session?.close());

  for (const stage of ["views", "tune"]) {
    test(`in the middle of "${stage}"`, async () => {
      const site = await ruined("losing-worker.js", stage);
      try {
        await session.page.goto(`${site.url}test/package.html`);
        const outcome = await session.page.evaluate(
          async ([entry, labels, base64]) => {
            const { PromptLens } = await import(entry);
            const blob = new Blob([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))]);
            const told = (promise) => promise.then(() => "answered", ({ code, message }) => ({ code, message }));
            const lens = await PromptLens.load({ model: "../models/mini-vit/", device: "webgpu" });
            const classes = await lens.classes(labels);
            // As many views as take two passes through the device.
            const lost = await told(classes.classify(blob, { tune: "tpt", views: 20, steps: 3, ood: false }));
            const later = [await told(classes.classify(blob)), await told(lens.embedText(["a cat"]))];
            lens.free();
            const again = await PromptLens.load({ model: "../models/mini-vit/", device: "cpu" });
            const { predictions } = await (await again.classes(labels)).classify(blob);
            again.free();
            return { lost, later, answers: predictions.length };
          },
          [`${site.url}pkg/index.js`, LABELS, church],
        );
        console.log(`${stage}: ${JSON.stringify(outcome)}`);
        assert.equal(outcome.lost.code, "gpu/lost", outcome.lost.message);
        for (const { code } of outcome.later) assert.equal(code, "gpu/lost");
        for (const { message } of [outcome.lost, ...outcome.later]) assert.match(message, /^\S.*(again|page)\b.*\.$/);
        // A fresh engine on the CPU answers in the same page.
        assert.equal(outcome.answers, LABELS.length);
      } finally {
        await session.page.goto("about:blank");
        await site.close();
      }
    });
  }

  for (const [what, mishap, device, code] of [
    ["a device that is lost", "losing-worker.js", "webgpu", "gpu/lost"],
    ["an engine that traps", "crashing-worker.js", "cpu", "engine/internal"],
  ]) {
    test(`${what} is told by the page, which answers again from a fresh engine`, async () => {
      const site = await ruined(mishap, "tune|regions");
      const { page } = session;
      try {
        await page.goto(`${site.url}?device=${device}&lang=en&labels=ship,church&tune=tpt&views=16`);
        await page.waitForSelector("#status[data-state=ready]");
        await page.click("[data-sample=rocket]");
        await page.waitForSelector("#status[data-state=failed]");
        assert.equal(await page.textContent("#status-error code"), code);
        assert.equal(await page.textContent(".card .problem code"), code);
        assert.equal(await page.locator("#use-cpu").isVisible(), device === "webgpu");
        await looks(page, `state-${code.replace("/", "-")}`);
        await page.click("#tune > summary");
        await page.check("input[name=tune][value=none]");
        await page.click(device === "webgpu" ? "#use-cpu" : "#retry");
        await page.waitForSelector("#status[data-state=ready]");
        await page.waitForSelector(".card[data-state=done]");
        assert.equal(await page.locator(".bar").count(), 2);
        if (device === "webgpu") return;

        // An engine that is gone while it is asked where the names are: the answer stays, and says why there is no more.
        await page.click(".where");
        await page.waitForSelector(".heat:not([hidden])");
        await page.selectOption(".heat-method", "regions");
        await page.waitForSelector("#status[data-state=failed]");
        assert.equal(await page.textContent("#status-error code"), code);
        assert.equal(await page.textContent(".heat-problem:not([hidden]) code"), code);
        await page.click(".where");
        assert.ok(await page.locator(".heat-problem").isHidden());
        await page.click(".where");
        await page.waitForSelector(".heat-problem:not([hidden])");
        assert.equal(await page.textContent(".heat-problem code"), code);
        assert.equal(await page.getAttribute(".card", "data-state"), "done");
        await looks(page, "state-where-failed");
        await page.click("#retry");
        await page.waitForSelector("#status[data-state=ready]");
        await page.waitForSelector(".card[data-state=done]");
      } finally {
        await page.goto("about:blank");
        await site.close();
      }
    });
  }
});
