// Every kernel in Chromium's WebGPU beside the same operation on the CPU, each tiling forced. PROMPTLENS_SEED
// draws other shapes.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { DIST, openBrowser, openSite, PAGES } from "./harness.mjs";
import { loadPackage } from "./support.mjs";

describe("kernels", { timeout: 900_000 }, () => {
  let site;
  let session;
  let page;

  before(async () => {
    site = await openSite({ "": DIST, test: PAGES });
    session = await openBrowser();
    page = session.page;
    const loaded = await loadPackage(page, site.url, { model: "../models/mini-vit/", device: "webgpu" });
    assert.equal(loaded.message, undefined);
  });
  after(async () => {
    await session?.close();
    await site?.close();
  });

  const seed = process.env.PROMPTLENS_SEED ? Number(process.env.PROMPTLENS_SEED) : undefined;
  const check = (kernel) =>
    page.evaluate(
      async ([kernel, seed]) => {
        const events = [];
        const cases = await window.lens.checkKernels({ kernel, seed, onProgress: (event) => events.push(event) });
        return { cases, events };
      },
      [kernel, seed],
    );

  // Floats summed in another order round differently; bytes do not. What adds few floats may do either.
  const KERNELS = {
    linear: { rounds: true },
    layer_norm: { rounds: true },
    attention: { rounds: true },
    activation: { rounds: true },
    depthwise: {},
    mean_rows: {},
    photo: { rounds: false },
  };

  for (const [kernel, { rounds }] of Object.entries(KERNELS)) {
    test(`${kernel} agrees with the CPU in both tilings`, async () => {
      const { cases, events } = await check(kernel);
      assert.deepEqual(cases.filter(({ passed }) => !passed), []);
      const drawn = cases.filter(({ name }) => name.includes(`of seed ${seed ?? 17}:`));
      assert.ok(drawn.length >= 16, `${drawn.length} of ${cases.length} cases were drawn`);
      for (const tiling of ["registers", "workgroup"]) {
        assert.equal(cases.filter((each) => each.tiling === tiling).length, cases.length / 2);
      }
      if (rounds !== undefined) assert.equal(cases.some(({ error }) => error > 0), rounds);
      assert.equal(events.length, cases.length);
      assert.deepEqual(events.at(-1), { stage: "kernels", loaded: cases.length - 1, total: cases.length, source: "cache" });
    });
  }

  test("an unknown kernel is refused with the names of all", async () => {
    const refused = await page.evaluate(() =>
      window.lens.checkKernels({ kernel: "sort" }).catch(({ code, message }) => ({ code, message })),
    );
    assert.equal(refused.code, "options/invalid");
    assert.ok(refused.message.includes(`use ${Object.keys(KERNELS).join(", ")}.`), refused.message);
  });
});
