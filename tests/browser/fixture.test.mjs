// Test-time tuning through the package on Chromium's WebGPU against PyTorch traces, in f32.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { cosine, DIST, needsShared, openBrowser, openSite, PAGES, readSafetensors, relativeError, row, shared } from "./harness.mjs";
import { loadPackage } from "./support.mjs";

const TOLERANCE = 1e-3;

/** A picture of `size` x `size` RGB pixels as an uncompressed BMP: its pixels reach the model as they are. */
function bmp(size, rgb) {
  const stride = Math.ceil((size * 3) / 4) * 4;
  const file = Buffer.alloc(54 + stride * size);
  file.write("BM");
  file.writeUInt32LE(file.length, 2);
  file.writeUInt32LE(54, 10);
  file.writeUInt32LE(40, 14);
  file.writeInt32LE(size, 18);
  // A negative height: rows from the top.
  file.writeInt32LE(-size, 22);
  file.writeUInt16LE(1, 26);
  file.writeUInt16LE(24, 28);
  for (let y = 0; y < size; y += 1) {
    for (let x = 0; x < size; x += 1) {
      const [r, g, b] = rgb.subarray((y * size + x) * 3);
      file.set([b, g, r], 54 + y * stride + x * 3);
    }
  }
  return file;
}

describe("tuning against PyTorch on WebGPU", { skip: needsShared, timeout: 900_000 }, () => {
  let site;
  let session;

  before(async () => {
    site = await openSite({ "": DIST, test: PAGES, "models/mini-0": shared("models/mini-0") });
    session = await openBrowser();
    const loaded = await loadPackage(session.page, site.url, { model: "../models/mini-0/", device: "webgpu", quantization: "none" });
    assert.equal(loaded.message, undefined);
    assert.deepEqual([loaded.info.device.kind, loaded.info.quantization], ["webgpu", "none"]);
  });
  after(async () => {
    await session?.close();
    await site?.close();
  });

  for (const name of ["case0", "case1", "case2", "two_steps", "difftpt_lite"]) {
    test(name, async () => {
      const { metadata, tensors } = await readSafetensors(shared(`fixtures/tpt/${name}.safetensors`));
      const labels = JSON.parse(metadata.labels);
      const [count, size] = tensors.views_u8.shape;
      const views = Array.from({ length: count }, (_, i) => bmp(size, row(tensors.views_u8, i)).toString("base64"));
      const tune = name.startsWith("difftpt") ? "difftpt-lite" : "tpt";
      const steps = Number(metadata.steps ?? 1);
      const got = await session.page.evaluate(
        async ([names, pictures, options]) => {
          const features = [];
          for (const picture of pictures) {
            features.push(await window.lens.embedImage(Uint8Array.from(atob(picture), (c) => c.charCodeAt(0))));
          }
          const classes = await window.lens.classes(names);
          const stages = [];
          const tuned = await classes.tuneFeatures(features, { ...options, onProgress: ({ stage }) => stages.push(stage) });
          classes.free();
          const plain = (rows) => rows.map((one) => [...one]);
          return { ...tuned, contexts: plain(tuned.contexts), gradients: plain(tuned.gradients), features: plain(features), stages };
        },
        [labels, views, { tune, steps, rho: Number(metadata.rho) }],
      );
      const near = (what, actual, expected, limit) => {
        assert.equal(actual.length, expected.length, what);
        const worst = Math.max(...actual.map((value, i) => Math.abs(value - expected[i])));
        console.log(`${name} ${what}: off by at most ${worst.toExponential(1)}`);
        assert.ok(worst <= limit, `${what}: off by ${worst}`);
      };
      const sorted = (list) => Array.from(list, Number).sort((a, b) => a - b);
      const features = relativeError(got.features.flat(), tensors.image_features.data);
      console.log(`${name} image features: relative error ${features.toExponential(1)}`);
      assert.ok(features <= TOLERANCE);
      if (tensors.entropy) near("entropies", got.entropies, tensors.entropy.data, TOLERANCE);
      assert.deepEqual(sorted(got.selected), sorted(tensors.selected.data));
      if (tensors.kept_by_cosine) assert.deepEqual(sorted(got.passed), sorted(tensors.kept_by_cosine.data));
      else assert.equal(got.passed.length, count);

      const expected = tensors.losses
        ? { losses: tensors.losses, gradients: tensors.grad_per_step, contexts: tensors.ctx_per_step }
        : { losses: tensors.loss, gradients: tensors.ctx_grad, contexts: tensors.ctx_after };
      near("losses", got.losses.slice(0, steps), expected.losses.data, TOLERANCE);
      near("loss after", got.losses.slice(steps), tensors.loss_after.data, TOLERANCE);
      const length = got.contexts[0].length;
      assert.equal(got.gradients.length, steps);
      for (let step = 0; step < steps; step += 1) {
        const of = ({ data }) => data.subarray(step * length, (step + 1) * length);
        const gradient = of(expected.gradients);
        const alike = cosine(got.gradients[step], gradient);
        console.log(`${name} gradient of step ${step}: cosine ${alike.toFixed(7)}`);
        assert.ok(alike >= 0.9999);
        const top = gradient.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
        // Where the gradient is next to nothing its sign, and with it AdamW's step, is rounding.
        const strong = [...gradient.keys()].filter((i) => Math.abs(gradient[i]) > 1e-4 * top);
        const context = of(expected.contexts);
        near(`context after step ${step}`, strong.map((i) => got.contexts[step + 1][i]), strong.map((i) => context[i]), TOLERANCE);
      }
      near("logits before", got.logitsBefore, tensors.logits_before.data, 1e-2);
      near("logits after", got.logits, tensors.logits_after.data, 1e-2);
      assert.notDeepEqual(got.logits, got.logitsBefore);
      assert.equal(got.guarded, false);
      assert.ok(got.stages.includes("tune"));
      assert.deepEqual(got.predictions.map(({ label }) => label).sort(), [...labels].sort());
    });
  }
});
