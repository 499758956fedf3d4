// promptlens/pipeline beside transformers.js: the same checkpoint, call for call.
import assert from "node:assert/strict";
import { copyFile, mkdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { DIST, needsShared, openBrowser, openSite, PAGES } from "./harness.mjs";
import { openHub } from "./hub.mjs";
import { photo } from "./support.mjs";

const here = dirname(fileURLToPath(import.meta.url));
/** Written by scripts/transformers/tiny_onnx.py: the weights as safetensors and as ONNX. */
const CHECKPOINT = join(here, "tiny-clip");
const TOLERANCE = 1e-4;
const library = (path) => join(here, "node_modules", path);
const LABELS = ["cat", "dog", "a red_bicycle, in the rain", "cat", "costs $5", "Café ÜBER 北"];

/** Runs `body(load, inputs, argument)` in the page for each library; `load(task, options)` makes its pipeline of the checkpoint. */
function both(page, body, argument) {
  return page.evaluate(
    async ([source, argument]) => {
      const run = new Function(`return (${source})`)();
      const results = {};
      for (const [name, model] of [["@huggingface/transformers", "tiny-clip"], ["promptlens/pipeline", "../models/tiny-clip/"]]) {
        const { pipeline, env } = await window.libraries[name];
        if (env) {
          env.allowRemoteModels = false;
          env.allowLocalModels = true;
          env.useBrowserCache = false;
          env.localModelPath = "/models/";
          env.backends.onnx.wasm.wasmPaths = new URL("../onnxruntime-web/", location.href).href;
          env.backends.onnx.wasm.numThreads = 1;
        }
        const load = (task, options) => pipeline(task, model, { device: "wasm", dtype: "fp32", ...options });
        results[name] = await run(load, argument);
      }
      return { theirs: results["@huggingface/transformers"], ours: results["promptlens/pipeline"] };
    },
    [String(body), argument],
  );
}

/** The same structure, keys in the same order, numbers within the tolerance; returns the largest difference. */
function close(ours, theirs, path = "") {
  if (typeof theirs === "number") {
    const difference = Math.abs(ours - theirs);
    assert.ok(difference <= TOLERANCE, `${path}: ${ours} instead of ${theirs}`);
    return difference;
  }
  if (typeof theirs !== "object" || theirs === null) {
    assert.equal(ours, theirs, path);
    return 0;
  }
  assert.deepEqual(Object.keys(ours), Object.keys(theirs), path);
  return Object.keys(theirs).reduce((worst, key) => Math.max(worst, close(ours[key], theirs[key], `${path}.${key}`)), 0);
}

/** The code and the message of what a call of the pipeline in `body` rejects with. */
const refused = (page, body, argument) =>
  page.evaluate(
    async ([source, argument]) => {
      const { pipeline } = await window.libraries["promptlens/pipeline"];
      try {
        return { value: await new Function(`return (${source})`)()(pipeline, argument) };
      } catch ({ name, code, message }) {
        return { name, code, message };
      }
    },
    [String(body), argument],
  );

describe("promptlens/pipeline", { skip: needsShared, timeout: 600_000 }, () => {
  let site;
  let session;
  let page;

  before(async () => {
    site = await openSite({
      pkg: join(DIST, "pkg"),
      test: PAGES,
      "models/tiny-clip": CHECKPOINT,
      "samples": join(DIST, "samples"),
      "transformers/transformers.web.js": library("@huggingface/transformers/dist/transformers.web.js"),
      "onnxruntime-common": library("onnxruntime-common/dist/esm"),
    });
    await mkdir(join(site.folder, "onnxruntime-web"));
    for (const name of ["ort.webgpu.min.mjs", "ort-wasm-simd-threaded.asyncify.mjs", "ort-wasm-simd-threaded.asyncify.wasm"]) {
      await copyFile(library(`onnxruntime-web/dist/${name}`), join(site.folder, "onnxruntime-web", name));
    }
    session = await openBrowser({ webgpu: false });
    page = session.page;
    await page.goto(`${site.url}test/transformers.html`);
    await page.evaluate(() => {
      window.libraries = Object.fromEntries(["@huggingface/transformers", "promptlens/pipeline"].map((name) => [name, import(name)]));
    });
  });
  after(async () => {
    await session?.close();
    await site?.close();
  });

  test("zero-shot-image-classification answers as transformers.js does", async () => {
    const { buffer } = await photo("imagenette", "test/church/");
    const { ours, theirs } = await both(
      page,
      async (load, { labels, base64 }) => {
        const classify = await load("zero-shot-image-classification");
        const address = new URL("../samples/rocket.jpg", location.href);
        const blob = new Blob([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], { type: "image/jpeg" });
        // Smaller than the model's input, transparent in part, and drawn by the page itself.
        const canvas = document.createElement("canvas");
        [canvas.width, canvas.height] = [23, 41];
        const context = canvas.getContext("2d");
        context.fillStyle = "rgba(255, 90, 0, 0.5)";
        context.fillRect(3, 5, 15, 30);
        context.fillStyle = "#0a7";
        context.fillRect(9, 1, 8, 12);
        const offscreen = new OffscreenCanvas(64, 32);
        offscreen.getContext("2d").drawImage(canvas, 0, 0);
        const data = await new Promise((done) => canvas.toBlob(done, "image/png"));
        const answers = {
          string: await classify(address.href, labels),
          relative: await classify("../samples/rocket.jpg", labels),
          address: await classify(address, labels),
          blob: await classify(blob, labels),
          objectUrl: await classify(URL.createObjectURL(blob), labels),
          png: await classify(data, labels),
          canvas: await classify(canvas, labels),
          offscreen: await classify(offscreen, labels),
          dataUrl: await classify(canvas.toDataURL("image/png"), labels),
          several: await classify([address.href, blob, canvas], labels),
          one: await classify([blob], labels),
          template: await classify(blob, ["cat", "dog", "tea"], { hypothesis_template: "{} on a table" }),
          without: await classify(blob, ["cat", "dog"], { hypothesis_template: "a photo" }),
          single: await classify(blob, ["cat"]),
        };
        answers.task = classify.task;
        await classify.dispose();
        return answers;
      },
      { labels: LABELS, base64: buffer.toString("base64") },
    );
    console.log(`largest difference of a score: ${close(ours, theirs).toExponential(1)}`);
    // What was compared says something: scores differ between labels and between images.
    const spread = (scores) => scores[0].score - scores.at(-1).score;
    assert.ok(spread(theirs.blob) > 0.05 && Math.abs(theirs.blob[0].score - theirs.string[0].score) > 0.001);
  });

  test("image-feature-extraction answers as transformers.js does", async () => {
    const { ours, theirs } = await both(page, async (load) => {
      const extract = await load("image-feature-extraction");
      const file = await (await fetch("../samples/rocket.jpg")).blob();
      const shown = ({ dims, type, data, size, ...rest }, tensor) => ({ dims, type, size, data: [...data], list: tensor.tolist(), kind: data.constructor.name });
      const answers = {};
      for (const [name, images] of Object.entries({ one: file, several: [file, "../samples/rocket.jpg"], list: [file] })) {
        const tensor = await extract(images);
        answers[name] = shown(tensor, tensor);
      }
      await extract.dispose();
      return answers;
    });
    console.log(`largest difference of a feature: ${close(ours, theirs).toExponential(1)}`);
    assert.deepEqual([theirs.one.dims, theirs.several.dims], [[1, 16], [2, 16]]);
    assert.ok(Math.abs(Math.hypot(...ours.one.data) - 1) > 0.1, "the features are not normalized");
  });

  test("elements, image data and raw pixels are the same image", async () => {
    const answers = await page.evaluate(async () => {
      const { pipeline } = await window.libraries["promptlens/pipeline"];
      const extract = await pipeline("image-feature-extraction", "../models/tiny-clip/", { device: "cpu" });
      const element = new Image();
      element.src = "../samples/rocket.jpg";
      const bitmap = await createImageBitmap(await (await fetch(element.src)).blob());
      const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
      context.drawImage(bitmap, 0, 0);
      const image = context.getImageData(0, 0, bitmap.width, bitmap.height);
      const rgb = { data: image.data.filter((_, i) => i % 4 < 3), width: image.width, height: image.height, channels: 3 };
      const tensor = await extract([element.src, element, bitmap, image, rgb, { ...rgb, data: new Uint8Array(rgb.data) }]);
      const gray = { data: image.data.filter((_, i) => i % 4 === 0), width: image.width, height: image.height, channels: 1 };
      const threefold = { data: image.data.map((_, i) => image.data[i - (i % 4)]), width: image.width, height: image.height, channels: 4 };
      const ofGray = (await extract([gray, threefold])).tolist();
      await extract.dispose();
      return { colored: tensor.tolist(), ofGray };
    });
    for (const feature of answers.colored) assert.deepEqual(feature, answers.colored[0]);
    assert.deepEqual(answers.ofGray[0], answers.ofGray[1]);
    assert.notDeepEqual(answers.ofGray[0], answers.colored[0]);
  });

  test('`resize: "pillow"` answers as classes.classify and embedImage do', async () => {
    const found = await page.evaluate(async () => {
      const { pipeline } = await window.libraries["promptlens/pipeline"];
      const options = { device: "cpu", resize: "pillow" };
      const classify = await pipeline("zero-shot-image-classification", "../models/tiny-clip/", options);
      const extract = await pipeline("image-feature-extraction", "../models/tiny-clip/", options);
      const blob = await (await fetch("../samples/rocket.jpg")).blob();
      const bitmap = await createImageBitmap(blob);
      const scores = await classify(blob, ["cat", "dog", "tea"]);
      const classes = await classify.lens.classes(["cat", "dog", "tea"], { templates: ["This is a photo of {}"] });
      const { predictions } = await classes.classify(blob);
      const [features] = (await extract(blob)).tolist();
      const [ofBitmap] = (await extract(bitmap)).tolist();
      const [byCanvas] = (await (await pipeline("image-feature-extraction", "../models/tiny-clip/", { device: "cpu" }))(blob)).tolist();
      const embedded = [...(await extract.lens.embedImage(blob))];
      const raw = [...(await extract.lens.embedImage(blob, { normalize: false }))];
      const preprocessing = await extract.lens.preprocessing();
      await Promise.all([classify.dispose(), extract.dispose()]);
      return { scores, predictions, features, ofBitmap, byCanvas, embedded, raw, preprocessing };
    });
    close(found.scores, found.predictions.map(({ label, probability }) => ({ score: probability, label })));
    close(found.features, found.raw);
    const length = Math.hypot(...found.raw);
    assert.ok(Math.abs(length - 1) > 0.1, `${length}`);
    close(found.raw.map((value) => value / length), found.embedded);
    // The browser's decoder and the engine's differ by little, a canvas and Pillow by more.
    const distance = (a, b) => Math.hypot(...a.map((value, i) => value - b[i]));
    assert.ok(distance(found.ofBitmap, found.features) < distance(found.byCanvas, found.features));
    const own = JSON.parse(await readFile(join(CHECKPOINT, "preprocessor_config.json"), "utf8"));
    close(found.preprocessing, { resize: { to: "shorter-side", side: 32 }, width: 32, height: 32, rescale: 1 / 255, mean: own.image_mean, std: own.image_std });
  });

  test("progress has the events of transformers.js", async () => {
    const { ours, theirs } = await both(page, async (load) => {
      const events = [];
      const loaded = await load("zero-shot-image-classification", { progress_callback: (event) => events.push(structuredClone(event)) });
      await loaded.dispose();
      return events;
    });
    const shapes = (events) => Object.fromEntries(events.map((event) => [event.status, Object.keys(event).sort()]));
    const sorted = (object) => Object.entries(object).sort(([a], [b]) => a.localeCompare(b));
    assert.deepEqual(sorted(shapes(ours)), sorted(shapes(theirs)));
    for (const events of [ours, theirs]) {
      assert.deepEqual(events.at(-1).status, "ready");
      for (const { progress } of events.filter(({ status }) => status.startsWith("progress"))) assert.ok(progress >= 0 && progress <= 100, progress);
      const of = (status) => events.filter((event) => event.status === status).map(({ file }) => file).sort();
      assert.deepEqual(of("initiate"), of("done"));
    }
    const files = new Set(ours.map(({ file }) => file).filter(Boolean));
    assert.deepEqual([...files].sort(), ["configuration", "promptlens_bg.wasm", "weights"]);
    assert.deepEqual(ours.at(-1), { status: "ready", task: "zero-shot-image-classification", model: "../models/tiny-clip/" });
  });

  test("an ONNX copy's name loads its source from the hub, and the console says so", async () => {
    const files = Object.fromEntries(
      await Promise.all(["config.json", "model.safetensors", "preprocessor_config.json", "tokenizer.json"].map(async (name) => [name, await readFile(join(CHECKPOINT, name))])),
    );
    const hub = await openHub({ "someone/tiny-clip": { files } });
    try {
      const direct = await refused(page, async (pipeline, hub) => {
        const classify = await pipeline("zero-shot-image-classification", "someone/tiny-clip", { hub, device: "wasm", store: false });
        const { info } = classify.lens;
        await classify.dispose();
        return info.quantization;
      }, hub.url);
      assert.deepEqual(direct, { value: "q8" });
      const said = page.waitForEvent("console", (message) => message.text().startsWith("promptlens/pipeline: "));
      const [missing, message] = await Promise.all([refused(page, (pipeline, hub) => pipeline("zero-shot-image-classification", null, { hub }), hub.url), said]);
      assert.equal(message.text(), "promptlens/pipeline: Xenova/clip-vit-base-patch32 is an ONNX copy of openai/clip-vit-base-patch32, which is loaded in its place.");
      assert.equal(missing.code, "weights/missing");
      // Both repositories that hold these weights were asked for, and the copy was not.
      const asked = hub.requests.filter(({ place }) => place === "api").map(({ name }) => name).join();
      assert.match(asked, /openai\/clip-vit-base-patch32/);
      assert.doesNotMatch(asked, /Xenova/);
    } finally {
      await hub.close();
    }
  });

  test("what does not map is refused by name", async () => {
    const zeroShot = "zero-shot-image-classification";
    const cases = [
      [["text-generation"], /"text-generation"/],
      [["image-feature-extraction"], /DINOv3/],
      [["image-feature-extraction", "../models/tiny-clip/", { resize: "lanczos" }], /`resize` must be "canvas" or "pillow"/],
      [[zeroShot, "Xenova/mobileclip_s0"], /Xenova\/mobileclip_s0 holds ONNX files/],
      [[zeroShot, "Xenova/clip-vit-base-patch32", { revision: "v3" }], /revision v3/],
      [[zeroShot, "./models/mini/", { revision: "v3" }], /`revision`/],
      [[zeroShot, null, { dtype: "bnb4" }], /`dtype` "bnb4"/],
      [[zeroShot, null, { dtype: { vision_model: "fp16" } }], /`dtype` of type object/],
      [[zeroShot, null, { device: "webnn-npu" }], /`device` "webnn-npu"/],
      [[zeroShot, null, { session_options: { graphOptimizationLevel: "all" } }], /`session_options`/],
      [[zeroShot, null, { local_files_only: true }], /`local_files_only`/],
      [[zeroShot, null, { model_file_name: "model" }], /`model_file_name`/],
      [[zeroShot, null, { progress_callback: 1 }], /`progress_callback`/],
      [[zeroShot, null, { devise: "cpu" }], /"devise"/],
      [[zeroShot, 7], /The model must be a name/],
    ];
    for (const [given, message] of cases) {
      const found = await refused(page, (pipeline, given) => pipeline(...given), given);
      assert.equal(found.code, "options/invalid", JSON.stringify(given));
      assert.equal(found.name, "PromptLensError");
      assert.match(found.message, message);
    }
  });

  test("images and options of a call that cannot be used are refused with their codes", async () => {
    const found = await page.evaluate(async () => {
      const { pipeline } = await window.libraries["promptlens/pipeline"];
      const classify = await pipeline("zero-shot-image-classification", "../models/tiny-clip/", { device: "cpu" });
      const extract = await pipeline("image-feature-extraction", "../models/tiny-clip/", { device: "cpu" });
      const photo = await (await fetch("../samples/rocket.jpg")).blob();
      const stopped = AbortSignal.abort();
      const calls = {
        otherOrigin: () => classify("https://example.org/cat.jpg", ["cat"]),
        noFile: () => classify("../samples/nothing.jpg", ["cat"]),
        text: () => classify(new Blob(["these are only words"]), ["cat"]),
        nothing: () => classify(new Blob([]), ["cat"]),
        number: () => classify(7, ["cat"]),
        raw: () => classify({ data: new Uint8Array(7), width: 2, height: 2, channels: 3 }, ["cat"]),
        oneLabel: () => classify(photo, "cat"),
        noLabels: () => classify(photo, []),
        option: () => classify(photo, ["cat"], { template: "{}" }),
        pool: () => extract(photo, { pool: true }),
        stopped: () => extract(photo, { signal: stopped }),
        freed: async () => {
          await extract.dispose();
          return extract(photo);
        },
      };
      const codes = {};
      for (const [name, call] of Object.entries(calls)) {
        codes[name] = await call().then(
          () => "answered",
          ({ code }) => code,
        );
      }
      await classify.dispose();
      return codes;
    });
    assert.deepEqual(found, {
      otherOrigin: "options/invalid",
      noFile: "network/failed",
      text: "image/unknown-format",
      nothing: "image/empty",
      number: "options/invalid",
      raw: "options/invalid",
      oneLabel: "options/invalid",
      noLabels: "labels/empty",
      option: "options/invalid",
      pool: "options/invalid",
      stopped: "engine/cancelled",
      freed: "engine/freed",
    });
  });
});
