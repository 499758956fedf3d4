// Both towers on Chromium's WebGPU against PyTorch, in f32, on ready-made pixels and token ids.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { DIST, inWorker, needsShared, openBrowser, openSite, PAGES, readSafetensors, relativeError, row, shared } from "./harness.mjs";

const TOLERANCE = 1e-3;

/** A row-major matrix as a list of its `count` rows. */
const rows = (values, count) =>
  Array.from({ length: count }, (_, i) => values.slice((i * values.length) / count, ((i + 1) * values.length) / count));

describe("towers on WebGPU", { skip: needsShared, timeout: 900_000 }, () => {
  let site;
  let session;

  before(async () => {
    const parts = { "": DIST, test: PAGES };
    for (const name of ["tiny-rand", "tiny-rand-gelu"]) parts[`fixtures/${name}`] = shared(`fixtures/${name}`);
    site = await openSite(parts);
    session = await openBrowser();
  });
  after(async () => {
    await session?.close();
    await site?.close();
  });

  for (const name of ["tiny-rand", "tiny-rand-gelu"]) {
    test(name, async () => {
      const { tensors } = await readSafetensors(shared(`fixtures/${name}/expected.safetensors`));
      const weights = await readSafetensors(shared(`fixtures/${name}/model.safetensors`));
      const count = tensors.pixel_values.shape[0];
      const tokens = Array.from(tensors.eot.data, (eot, i) =>
        Array.from(row(tensors.input_ids, i).subarray(0, Number(eot) + 1), Number),
      );
      await session.page.goto(`${site.url}test/package.html`);
      const got = await inWorker(session.page, `${site.url}test/towers.js`, {
        model: `../fixtures/${name}/`,
        device: "webgpu",
        quantization: "none",
        pixels: Array.from(tensors.pixel_values.data),
        tokens,
      });
      assert.equal(got.error, undefined);
      assert.equal(got.info.device.kind, "webgpu");

      const images = rows(got.images, count);
      const texts = rows(got.texts, tokens.length);
      const check = (what, actual, expected) => {
        const error = relativeError(actual, expected);
        console.log(`${name} ${what}: relative error ${error.toExponential(2)}`);
        assert.ok(error <= TOLERANCE, `${what}: relative error ${error}`);
      };
      check("image features", images.flat(), tensors.image_embeds.data);
      check("text features", texts.flat(), tensors.text_embeds.data);
      const unit = (feature) => feature.map((value) => value / Math.hypot(...feature));
      const unitTexts = texts.map(unit);
      const scale = Math.exp(weights.tensors.logit_scale.data[0]);
      const logits = images.map(unit).flatMap((i) => unitTexts.map((t) => scale * i.reduce((sum, v, d) => sum + v * t[d], 0)));
      check("logits", logits, tensors.logits.data);
    });
  }
});
