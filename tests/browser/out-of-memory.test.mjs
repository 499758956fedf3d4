// An engine that gets too little memory: the browser is told to give WebAssembly only so much. The call ends with a
// code, so do later ones, and the next engine answers.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { DIST, openBrowser, openSite, PAGES } from "./harness.mjs";

/** Memory is given in pages of 64 KiB. */
const PAGE = 65_536;
const CODES = ["engine/internal", "engine/out-of-memory"];

describe("out of memory", { timeout: 600_000 }, () => {
  let site;

  before(async () => {
    site = await openSite({ "": DIST, test: PAGES });
  });
  after(() => site?.close());

  /** What `work(PromptLens, told)` finds in a browser whose WebAssembly has so many bytes; `told` turns a promise into its outcome. */
  async function within(bytes, work) {
    const session = await openBrowser({ webgpu: false, args: [`--js-flags=--wasm-max-mem-pages=${bytes / PAGE}`] });
    try {
      await session.page.goto(`${site.url}test/package.html`);
      return await session.page.evaluate(
        `(async () => {
          const { PromptLens } = await import(${JSON.stringify(`${site.url}pkg/index.js`)});
          const told = (promise) => promise.then((result) => result?.predictions?.[0].label ?? "done", ({ code, message }) => ({ code, message }));
          return (${work})(PromptLens, told);
        })()`,
      );
    } finally {
      await session.close();
    }
  }

  test("a model that does not fit is refused with a code", async () => {
    const outcome = await within(8 << 20, (PromptLens, told) => told(PromptLens.load({ model: "../models/mini/", device: "cpu" })));
    assert.ok(CODES.includes(outcome.code), JSON.stringify(outcome));
    assert.match(outcome.message, /^\S.*\.$/);
  });

  test("a photo that does not fit ends its engine with a code, and the next one answers", async () => {
    const found = await within(64 << 20, async (PromptLens, told) => {
      const load = async () => (await PromptLens.load({ model: "../models/mini/", device: "cpu" })).classes(["cat", "dog"]);
      const cat = await (await fetch("../samples/cat.jpg")).blob();
      // 36 megapixels, which are 108 MB before they are made smaller.
      const canvas = new OffscreenCanvas(6000, 6000);
      canvas.getContext("2d").fillRect(10, 10, 3000, 3000);
      const large = await canvas.convertToBlob({ type: "image/png" });
      const classes = await load();
      const before = await told(classes.classify(cat));
      const waiting = [told(classes.classify(large)), told(classes.classify(cat))];
      const lost = await Promise.all(waiting);
      return { before, lost, after: await told((await load()).classify(cat)) };
    });
    assert.equal(found.before, "cat");
    for (const outcome of found.lost) assert.ok(CODES.includes(outcome.code), JSON.stringify(found));
    assert.equal(found.after, "cat");
  });
});
