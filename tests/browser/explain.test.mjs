// Heat maps through the package, and options that there are not.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { DIST, openBrowser, openSite, PAGES } from "./harness.mjs";
import { classifyInPage, loadPackage } from "./support.mjs";

const LABELS = ["sunflowers", "church", "ship"];

describe("heat maps", { timeout: 900_000 }, () => {
  let site;
  let session;
  let page;
  let sunflower;

  before(async () => {
    site = await openSite({ "": DIST, test: PAGES });
    session = await openBrowser();
    page = session.page;
    sunflower = await readFile(join(DIST, "samples/sunflower.jpg"));
  });
  after(async () => {
    await session?.close();
    await site?.close();
  });

  test("are the same on the GPU and on the CPU, and shares of every place", async () => {
    const found = {};
    for (const device of ["cpu", "webgpu"]) {
      const loaded = await loadPackage(page, site.url, { model: "../models/mini-vit/", device });
      assert.equal(loaded.message, undefined);
      found[device] = {};
      for (const heatmap of [true, "regions"]) {
        const result = await classifyInPage(page, LABELS, sunflower, {}, { heatmap });
        assert.equal(result.message, undefined);
        const map = result.heatmap;
        assert.deepEqual([map.width, map.height, map.values.length], [8, 8, 64]);
        assert.equal(map.method, heatmap === true ? "patches" : "regions");
        assert.equal(map.label, result.predictions[0].label);
        assert.deepEqual(map.maps.map(({ label }) => label), result.predictions.map(({ label }) => label));
        assert.deepEqual(map.maps[0].values, map.values);
        for (let place = 0; place < 64; place += 1) {
          const sum = map.maps.reduce((total, { values }) => total + values[place], 0);
          assert.ok(Math.abs(sum - 1) < 1e-4, `place ${place}: ${sum}`);
        }
        assert.ok(Math.max(...map.values) - Math.min(...map.values) > 0.01, "the map is flat");
        if (heatmap === "regions") assert.ok(result.events.some(({ stage, total }) => stage === "regions" && total === 25));
        found[device][map.method] = map.values;
      }
      const without = await classifyInPage(page, LABELS, sunflower, {}, {});
      assert.equal(without.heatmap, null);
    }
    for (const method of ["patches", "regions"]) {
      const worst = Math.max(...found.cpu[method].map((value, i) => Math.abs(value - found.webgpu[method][i])));
      assert.ok(worst < 0.02, `${method}: ${worst}`);
    }
  });

  test("an option that there is not is refused by name", async () => {
    const codes = await page.evaluate(async () => {
      const said = (promise) => promise.then(() => "answered", ({ code, message }) => `${code} ${message}`);
      const classes = await window.lens.classes(["cat"]);
      const blob = new Blob(["x"]);
      return [
        await said(classes.classify(blob, { heatmpa: true })),
        await said(classes.classify(blob, { heatmap: "gradcam" })),
        await said(window.lens.classes(["cat"], { template: ["a {}"] })),
        await said(classes.mineNegatives({ shares: 1 })),
      ];
    });
    assert.match(codes[0], /^options\/invalid .*heatmpa.*heatmap/);
    assert.match(codes[1], /^options\/invalid .*patches or regions/);
    assert.match(codes[2], /^options\/invalid .*template\b.*templates/);
    assert.match(codes[3], /^options\/invalid .*shares/);
    const wrong = await loadPackage(page, site.url, { model: "../models/mini-vit/", devise: "cpu" });
    assert.match(`${wrong.code} ${wrong.message}`, /^options\/invalid .*devise/);
  });
});
