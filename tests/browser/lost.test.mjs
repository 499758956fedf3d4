// A GPU device that is lost while a photo is tuned: the call ends with a code, and so do later ones.
import assert from "node:assert/strict";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { DIST, needsShared, openBrowser, openSite, PAGES } from "./harness.mjs";
import { LABELS, photo } from "./support.mjs";

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
      const site = await openSite({ "": DIST, test: PAGES });
      const pkg = join(site.folder, "pkg");
      await rename(join(pkg, "worker.js"), join(pkg, "real-worker.js"));
      await writeFile(join(pkg, "losing.js"), (await readFile(join(PAGES, "losing-worker.js"), "utf8")).replace("LOSE_AT", stage));
      // Both run before the worker's first message is delivered.
      await writeFile(join(pkg, "worker.js"), 'import "./losing.js";\nimport "./real-worker.js";\n');
      try {
        await session.page.goto(`${site.url}test/package.html`);
        const outcome = await session.page.evaluate(
          async ([entry, labels, base64]) => {
            const { PromptLens } = await import(entry);
            const blob = new Blob([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))]);
            const told = (promise) => promise.then(() => "answered", ({ code, message }) => ({ code, message }));
            const lens = await PromptLens.load({ model: "../models/mini/", device: "webgpu" });
            const classes = await lens.classes(labels);
            // As many views as take two passes through the device.
            const lost = await told(classes.classify(blob, { tune: "tpt", views: 20, steps: 3, ood: false }));
            const later = [await told(classes.classify(blob)), await told(lens.embedText(["a cat"]))];
            lens.free();
            const again = await PromptLens.load({ model: "../models/mini/", device: "cpu" });
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
});
