// AVIF by way of the browser's own decoder, and HEIC, which neither of these browsers decodes.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { DIST, ENGINES, openBrowser, openSite, PAGES } from "./harness.mjs";
import { loadPackage } from "./support.mjs";

const FILES = join(DIST, "../tests/image/files");

for (const engine of ENGINES) describe(`pictures that the browser decodes, in ${engine}`, { timeout: 300_000 }, () => {
  let site;
  let session;
  let page;

  before(async () => {
    site = await openSite({ "": DIST, test: PAGES, files: FILES });
    session = await openBrowser({ engine, webgpu: false });
    page = session.page;
    const loaded = await loadPackage(page, site.url, { model: "../models/mini-vit/", device: "cpu" });
    assert.equal(loaded.message, undefined);
  });
  after(async () => {
    await session?.close();
    await site?.close();
  });

  /** What `work` gives for a file, which may be changed before; an error as `{ code, message }`. */
  const withFile = (name, work, change) =>
    page.evaluate(
      async ([path, source, changes]) => {
        const bytes = new Uint8Array(await (await fetch(path)).arrayBuffer());
        for (const [at, byte] of changes) bytes[at] = byte;
        try {
          return await new Function("file", `return (${source})(file)`)(new File([bytes], path));
        } catch ({ code, message }) {
          return { code, message };
        }
      },
      [`../files/${name}`, String(work), change ?? []],
    );

  /** The quarters of `quadrants.avif`, turned by quarters to the left, as a PNG that the engine decodes. */
  const drawn = (turns) =>
    page.evaluate(async (quarters) => {
      const size = quarters % 2 ? [32, 48] : [48, 32];
      const canvas = new OffscreenCanvas(...size);
      const context = canvas.getContext("2d");
      context.translate(size[0] / 2, size[1] / 2);
      context.rotate((-quarters * Math.PI) / 2);
      ["#dc281e", "#1eb43c", "#283cd2", "#f0dc3c"].forEach((color, i) => {
        context.fillStyle = color;
        context.fillRect(i % 2 ? 0 : -24, i > 1 ? 0 : -16, 24, 16);
      });
      return Array.from(await window.lens.embedImage(await canvas.convertToBlob({ type: "image/png" })));
    }, turns);

  const cosine = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);

  test("an AVIF is the picture that it holds, upright", async () => {
    const embed = async (file) => Array.from(await window.lens.embedImage(file));
    for (const [name, turns] of [["quadrants.avif", 0], ["quadrants-turned.avif", 1]]) {
      const found = await withFile(name, embed);
      assert.equal(found.message, undefined, name);
      assert.ok(cosine(found, await drawn(turns)) > 0.9999, name);
      assert.ok(cosine(found, await drawn(turns + 1)) < 0.999, name);
    }
  });

  test("the result says that the browser decoded it", async () => {
    const classify = async (file) => {
      const classes = await window.lens.classes(["cat", "ship"]);
      const { decodedBy, reducedBy, predictions } = await classes.classify(file);
      classes.free();
      return { decodedBy: decodedBy ?? null, reducedBy: reducedBy ?? null, count: predictions.length };
    };
    assert.deepEqual(await withFile("quadrants.avif", classify), { decodedBy: "browser", reducedBy: null, count: 2 });
    assert.deepEqual(await withFile("grey.jpg", classify), { decodedBy: null, reducedBy: null, count: 2 });
  });

  test("examples to learn from may be AVIF", async () => {
    const learned = await withFile("quadrants.avif", async (image) => {
      const classes = await window.lens.classes(["cat", "ship"]);
      const examples = [{ image, label: "cat" }, { image, label: "ship" }];
      const prompt = await classes.train(examples, { recipe: "tip-adapter", crops: 1, validation: "none" });
      classes.free();
      return prompt.report?.failures ?? [];
    });
    assert.deepEqual(learned, []);
  });

  test("what the header declares is checked first, and the rest refused", async () => {
    const embed = async (file) => String(await window.lens.embedImage(file));
    const bytes = await readFile(join(FILES, "quadrants.avif"));
    const size = bytes.indexOf("ispe") + 8;
    const huge = [...Buffer.from("000186a0000186a0", "hex")].map((byte, i) => [size + i, byte]);
    const large = await withFile("quadrants.avif", embed, huge);
    assert.equal(large.code, "image/too-large", large.message);
    assert.match(large.message, /100000 x 100000/);
    // The picture itself is broken: which browser sees what in it is not known before.
    const data = bytes.indexOf("mdat") + 4;
    const broken = await withFile("quadrants.avif", embed, Array.from({ length: 60 }, (_, i) => [data + i, 0xa5]));
    assert.equal(broken.code, "image/unknown-format", broken.message);
    assert.match(broken.message, /AVIF.*save it as JPEG/);
    const heic = await withFile("quadrants.heic", embed);
    assert.equal(heic.code, "image/unknown-format", heic.message);
    assert.match(heic.message, /HEIC photo, which this browser cannot decode; save it as JPEG/);
  });
});
