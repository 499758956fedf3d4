#!/usr/bin/env node
// How fast many photos are answered together (`classes.classifyAll`) beside one after the other
// (`classes.classify`), in Chromium and in turns.
//   node benches/many.mjs [--site dist] [--model mini] [--photos 24] [--size 4000x3000] [--rounds 3] [--devices cpu,webgpu] [--out FILE]
// The photos are JPEGs of the sample photos, scaled up by the browser, with noise so that they are as
// large as a camera's.
import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { serve } from "../scripts/serve.mjs";
import { openBrowser } from "./browser.mjs";

const { values: options } = parseArgs({
  options: {
    site: { type: "string", default: "dist" },
    model: { type: "string", default: "mini" },
    photos: { type: "string", default: "24" },
    size: { type: "string", default: "4000x3000" },
    rounds: { type: "string", default: "3" },
    devices: { type: "string", default: "cpu,webgpu" },
    out: { type: "string" },
  },
});
const [width, height] = options.size.split("x").map(Number);
const SAMPLES = ["cat", "cup", "rocket", "church"];
const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];

/** Makes the photos, as `window.photos`; their mean size in bytes. */
async function makePhotos([root, samples, count, width, height]) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const made = [];
  let state = 1;
  for (let i = 0; i < Math.min(count, 8); i += 1) {
    const response = await fetch(`${root}samples/${samples[i % samples.length]}.jpg`);
    context.drawImage(await createImageBitmap(await response.blob()), 0, 0, width, height);
    const pixels = context.getImageData(0, 0, width, height);
    for (let at = 0; at < pixels.data.length; at += 1) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      pixels.data[at] += (state >>> 28) - 8;
    }
    context.putImageData(pixels, 0, 0);
    made.push(await canvas.convertToBlob({ type: "image/jpeg", quality: 0.9 }));
  }
  window.photos = Array.from({ length: count }, (_, i) => made[i % made.length]);
  return made.reduce((sum, { size }) => sum + size, 0) / made.length;
}

/** Seconds for all photos one by one, and together. */
async function once([root, model, device]) {
  const { PromptLens } = await import(`${root}pkg/index.js`);
  const lens = await PromptLens.load({ model: `${root}models/${model}/`, device });
  const classes = await lens.classes(["cat", "cup", "rocket", "dog", "motorcycle"]);
  const alone = [];
  let began = performance.now();
  for (const photo of window.photos) alone.push((await classes.classify(photo)).predictions[0]);
  const oneByOne = (performance.now() - began) / 1000;
  began = performance.now();
  let index = 0;
  for await (const { result } of classes.classifyAll(window.photos)) {
    const [best] = result.predictions;
    const expected = alone[index++];
    if (best.label !== expected.label || Math.abs(best.probability - expected.probability) > 1e-3) throw new Error("another answer");
  }
  const together = (performance.now() - began) / 1000;
  lens.free();
  return { oneByOne, together };
}

const server = await serve({ root: resolve(options.site) });
const { browser, page, version } = await openBrowser(true);
try {
  await page.goto(`${server.url}models/mini/README.md`);
  const bytes = await page.evaluate(makePhotos, [server.url, SAMPLES, Number(options.photos), width, height]);
  const devices = {};
  for (const device of options.devices.split(",")) {
    const rounds = [];
    for (let round = 0; round < Number(options.rounds); round += 1) rounds.push(await page.evaluate(once, [server.url, options.model, device]));
    const ratio = median(rounds.map(({ oneByOne, together }) => oneByOne / together));
    devices[device] = { rounds, ratio };
    const seconds = (name) => median(rounds.map((round) => round[name])).toFixed(1);
    console.log(`${device}: ${options.photos} photos one by one ${seconds("oneByOne")} s, together ${seconds("together")} s: ${ratio.toFixed(2)} times as fast`);
  }
  const report = {
    date: new Date().toISOString().slice(0, 10),
    command: `node benches/many.mjs ${process.argv.slice(2).join(" ")}`.trim(),
    machine: `${cpus()[0].model}, ${cpus().length} cores`,
    browser: version,
    photos: { count: Number(options.photos), width, height, bytes },
    model: options.model,
    devices,
  };
  if (options.out) writeFileSync(options.out, `${JSON.stringify(report, null, 1)}\n`);
} finally {
  await browser.close();
  await server.close();
}
