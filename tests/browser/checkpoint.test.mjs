// A CLIP of ViT-B/32's true shapes in every layout, on the command line and in Chromium: the same
// features, and no more memory than is promised.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { after, before, describe, test } from "node:test";
import { cosine, DIST, needsShared, openBrowser, openSite, OUT, PAGES, program, shared } from "./harness.mjs";
import { specs, VIT_B_32, writeHuggingFace, writeOpenClip, writeOpenClipPt, writePyTorch, writeSharded } from "./checkpoint.mjs";
import { serve } from "../../scripts/serve.mjs";

const MIB = 2 ** 20;
const TEXTS = ["a photo of a cat.", "three red bicycles in the rain"];
const count = specs(VIT_B_32).reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
/** The token table, in 32-bit floats. */
const LARGEST = VIT_B_32.text.vocabulary * VIT_B_32.text.width * 4;

/** The most memory where the weights are on a GPU. */
const ON_GPU = LARGEST + 64 * MIB;
/** The same where they are in that memory too: the CPU computes with floats. */
const ON_CPU = count * 4 + ON_GPU;

/** How a checkpoint is written, by the name of its folder. */
const LAYOUTS = {
  sharded: (to) => writeSharded(to, VIT_B_32, 3),
  "open-clip": (to) => writeOpenClip(to, VIT_B_32),
  "pytorch-bin": (to) => writePyTorch(to, VIT_B_32),
  "open-clip-pt": (to) => writeOpenClipPt(to, VIT_B_32),
};
const PACKS = { f16: 0.99999, q8: 0.999, mixed: 0.985, q4: 0.985 };
/** The layouts that a browser reads too, beside Hugging Face's in one file. */
const IN_BROWSER = ["sharded", "open-clip"];

/** What Chromium loads, in which form, and the least cosine to the features in 32-bit floats. */
const FORMS = [
  ["hugging-face", "none", 0.99999],
  ["hugging-face", "q8", PACKS.q8],
  ["hugging-face", "q4", PACKS.q4],
  ["sharded", "q8", PACKS.q8],
  ["open-clip", "q8", PACKS.q8],
  ...Object.entries(PACKS).map(([pack, least]) => [pack, undefined, least]),
];
/** Those that answer on the software adapter too, which takes long. */
const SOFTWARE_GPU = ["hugging-faceq8", "hugging-faceq4"];
/** Their self-test takes long on a software GPU, which gets the packs that a browser has made instead. */
const CPU_ONLY = Object.keys(PACKS);

/** A site whose engine tells how many bytes its GPU buffers take. */
async function openCounted() {
  const account = fileURLToPath(new URL("../../benches/pages/account.js", import.meta.url));
  const site = await openSite({ "": DIST, test: PAGES, "pkg/account.js": account, "pkg/counting.js": join(PAGES, "counting-worker.js") });
  await rename(join(site.folder, "pkg/worker.js"), join(site.folder, "pkg/real-worker.js"));
  await writeFile(join(site.folder, "pkg/worker.js"), 'import "./counting.js";\nimport "./real-worker.js";\n');
  return site;
}

/** Bytes of all files of a folder. */
async function sizeOf(path) {
  const sizes = (await readdir(path)).map(async (name) => (await stat(join(path, name))).size);
  return (await Promise.all(sizes)).reduce((a, b) => a + b, 0);
}

/** Runs the command line; says what it answered, the most memory it had, and how long it took. */
async function run(...args) {
  const started = performance.now();
  const child = spawn(program, [...args, "--json"], { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  let peak = 0;
  child.stdout.on("data", (part) => (text += part));
  const look = setInterval(async () => {
    const status = await readFile(`/proc/${child.pid}/status`, "utf8").catch(() => "");
    peak = Math.max(peak, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1024);
  }, 20);
  const status = await new Promise((done) => child.on("close", done));
  clearInterval(look);
  assert.equal(status, 0, text);
  return { answer: JSON.parse(text), peak, seconds: (performance.now() - started) / 1000 };
}

describe("a checkpoint of ViT-B/32's size", { skip: needsShared, timeout: 1_800_000 }, () => {
  let folder;
  let photo;
  /** Features of a text, another text and a photo, in 32-bit floats. */
  let reference;
  const at = (name) => join(folder, name);
  const features = async (name, ...more) => {
    const texts = await run("embed", "--model", at(name), ...more, "--text", ...TEXTS);
    const image = await run("embed", "--model", at(name), ...more, "--image", photo);
    const all = [...texts.answer.embeddings, ...image.answer.embeddings].map(({ values }) => values);
    return { all, peak: texts.peak, seconds: texts.seconds };
  };
  /** Writes a checkpoint in another layout, where that is not there already. */
  const make = async (name) => {
    if (existsSync(at(name))) return;
    await LAYOUTS[name](at(name));
    await copyFile(at("hugging-face/tokenizer.json"), join(at(name), "tokenizer.json"));
  };
  const pack = (quant) => run("convert", "--model", at("hugging-face"), "--quant", quant, "--out", at(quant));
  const worst = (found) => Math.min(...found.map((values, i) => cosine(values, reference[i])));

  before(async () => {
    assert.equal(count, 151_277_313);
    // Gigabytes, which folders for temporary files may hold in memory or lose while this runs.
    await mkdir(OUT, { recursive: true });
    folder = await mkdtemp(join(OUT, "checkpoint-"));
    photo = shared("fixtures/mini/00_chain_saw.png");
    await writeHuggingFace(at("hugging-face"), VIT_B_32);
    await copyFile(shared("fixtures/tokenizer/tokenizer.json"), at("hugging-face/tokenizer.json"));
    const { all, peak, seconds } = await features("hugging-face");
    reference = all;
    console.log(`command line, float32: ${seconds.toFixed(1)} s, peak ${(peak / MIB).toFixed(0)} MiB`);
    assert.ok(peak <= ON_CPU, `${peak} bytes`);
    assert.ok(cosine(all[0], all[1]) < 0.999, "the texts are not all the same to it");
  });
  after(async () => {
    if (folder) await rm(folder, { recursive: true });
  });

  test("every layout gives the same features", async () => {
    for (const name of Object.keys(LAYOUTS)) {
      await make(name);
      const { answer, peak, seconds } = await run("embed", "--model", at(name), "--text", ...TEXTS);
      const similarity = worst(answer.embeddings.map(({ values }) => values));
      console.log(`command line, ${name}: cosine ${similarity.toFixed(7)}, ${seconds.toFixed(1)} s, peak ${(peak / MIB).toFixed(0)} MiB`);
      assert.ok(similarity > 0.999999);
      assert.ok(peak <= ON_CPU, `${peak} bytes`);
      if (!IN_BROWSER.includes(name)) await rm(at(name), { recursive: true });
    }
  });

  test("packs keep the features", async () => {
    for (const [quant, least] of Object.entries(PACKS)) {
      const { answer, peak: converting, seconds } = await pack(quant);
      const { all, peak, seconds: loading } = await features(quant);
      const similarity = worst(all);
      console.log(
        `${quant}: ${(answer.bytes_out / 1e6).toFixed(1)} MB, converted in ${seconds.toFixed(1)} s with ${(converting / MIB).toFixed(0)} MiB, cosine ${similarity.toFixed(5)}, ` +
          `${loading.toFixed(1)} s to answer, peak ${(peak / MIB).toFixed(0)} MiB`,
      );
      assert.ok(similarity >= least, `${quant}: ${similarity}`);
      assert.ok(peak <= ON_CPU && converting <= ON_CPU, `${peak} and ${converting} bytes`);
    }
  });

  test("Chromium: the same features, less memory, and nothing from the network the second time", async () => {
    // Where this test runs alone, what the others leave has to be made.
    for (const name of IN_BROWSER) await make(name);
    for (const quant of Object.keys(PACKS)) if (!existsSync(at(quant))) await pack(quant);
    const site = await openCounted();
    const models = await serve({ root: folder, headers: { "Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "ETag" } });
    const session = await openBrowser({ webgpu: true });
    try {
      const { page } = session;
      await page.goto(`${site.url}test/package.html`);
      const bytes = (await readFile(photo)).toString("base64");
      const visit = (model, { answers = false, ...options }) =>
        page.evaluate(
          async ([entry, settings, image, texts]) => {
            const { PromptLens } = await import(entry);
            let fetched = 0;
            let last = 0;
            const onProgress = ({ stage, loaded, source }) => {
              if (stage !== "weights") return;
              if (source === "network") fetched += Math.max(0, loaded - last);
              last = loaded;
            };
            const start = performance.now();
            const lens = await PromptLens.load({ ...settings, onProgress });
            const ready = performance.now() - start;
            const { info } = lens;
            const channel = new BroadcastChannel("gpu-buffers");
            const buffers = new Promise((told) => channel.addEventListener("message", ({ data }) => told(data)));
            channel.postMessage("how many");
            const gpu = await buffers;
            channel.close();
            const all = [];
            if (image) {
              for (const values of await lens.embedText(texts)) all.push([...values]);
              const photo = Uint8Array.from(atob(image), (c) => c.charCodeAt(0));
              all.push([...(await lens.embedImage(new Blob([photo])))]);
            }
            lens.free();
            return { info, ready, all, fetched, gpu };
          },
          [`${site.url}pkg/index.js`, { model: `${models.url}${model}/`, ...options }, answers ? bytes : null, TEXTS],
        );
      const say = (what, { info, ready, fetched }) => {
        const { heapBytes, loadTimes: t, store } = info;
        const parts = Object.entries(t).map(([name, ms]) => `${name} ${(ms / 1000).toFixed(1)}`);
        console.log(`Chromium ${what}: ready in ${(ready / 1000).toFixed(1)} s (${parts.join(", ")}), ${(fetched / 1e6).toFixed(1)} MB fetched, heap ${(heapBytes.afterLoad / MIB).toFixed(0)} MiB, kept ${store.kept}`);
      };
      const checked = (found, least) => {
        const similarity = worst(found.all);
        console.log(`  cosine ${similarity.toFixed(5)}`);
        assert.ok(similarity >= least, `${similarity}`);
      };
      // On a GPU the weights are there and not in the heap.
      for (const [model, quantization, least] of FORMS) {
        if (CPU_ONLY.includes(model)) continue;
        const kept = model === "hugging-face" && quantization !== "none";
        for (const time of kept ? ["first", "second"] : ["only"]) {
          const answers = time !== "first" && SOFTWARE_GPU.includes(model + (quantization ?? ""));
          const found = await visit(model, { quantization, device: "webgpu", answers });
          say(`webgpu ${model} ${quantization ?? "as stored"}, ${time} visit`, found);
          assert.ok(found.info.heapBytes.afterLoad <= ON_GPU, `${found.info.heapBytes.afterLoad} bytes`);
          assert.equal(found.info.parameters, count);
          const form = quantization ?? model;
          const { held, peak, created } = found.gpu;
          assert.ok(created > 0);
          if (["q8", "q4"].includes(form)) {
            const packed = await sizeOf(at(form));
            console.log(`  GPU buffers ${(held / MIB).toFixed(1)} MiB, peak ${(peak / MIB).toFixed(1)} MiB, of ${(packed / MIB).toFixed(1)} MiB packed`);
            assert.ok(held <= 1.1 * packed, `${held} bytes of ${packed}`);
            assert.ok(peak <= packed + LARGEST + 64 * MIB, `${peak} bytes at most`);
          }
          if (time === "second") assert.equal(found.fetched, 0);
          if (answers) checked(found, least);
        }
      }
      for (const [model, quantization, least] of FORMS) {
        // What the GPU's engine kept serves the CPU's.
        for (const time of CPU_ONLY.includes(model) ? ["first", "second"] : ["second"]) {
          const found = await visit(model, { quantization, device: "cpu", answers: true });
          say(`cpu ${model} ${quantization ?? "as stored"}, ${time} visit`, found);
          checked(found, least);
          if (time === "second") assert.equal(found.fetched, 0);
          assert.ok(found.info.heapBytes.afterLoad <= ON_CPU, `${found.info.heapBytes.afterLoad} bytes`);
        }
      }
    } finally {
      await session.close();
      await models.close();
      await site.close();
    }
  });
});
