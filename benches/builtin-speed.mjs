#!/usr/bin/env node
// How fast the built-in model is beside the one before, in Chromium: ready, and a photo from file to answer.
//   node benches/builtin-speed.mjs [--site dist] [--rounds 5] [--photos 6] [--devices cpu,webgpu]
// The models take turns. A round loads a model and asks the sample photo of a cat so many times; its number is the
// least of these. What is told is the median and the least over the rounds.
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { serve } from "../scripts/serve.mjs";
import { openBrowser } from "./browser.mjs";

const { values: options } = parseArgs({
  options: {
    site: { type: "string", default: "dist" },
    rounds: { type: "string", default: "5" },
    photos: { type: "string", default: "6" },
    devices: { type: "string", default: "cpu,webgpu" },
  },
});
const MODELS = ["mini", "mini-vit"];

const server = await serve({ root: resolve(options.site) });
const { browser, page, version } = await openBrowser(true);
try {
  console.log(version);
  await page.goto(`${server.url}models/mini/README.md`);
  for (const device of options.devices.split(",")) {
    const found = Object.fromEntries(MODELS.map((model) => [model, { ready: [], photo: [] }]));
    for (let round = 0; round < Number(options.rounds); round += 1) {
      for (const model of MODELS) {
        const { ready, photo } = await page.evaluate(
          async ([root, model, device, photos]) => {
            const { PromptLens } = await import(`${root}pkg/index.js`);
            const began = performance.now();
            const lens = await PromptLens.load({ model: `${root}models/${model}/`, device });
            const ready = performance.now() - began;
            const classes = await lens.classes(["cat", "cup", "rocket", "dog"]);
            const file = await (await fetch(`${root}samples/cat.jpg`)).blob();
            let photo = Infinity;
            for (let i = 0; i < photos; i += 1) {
              const start = performance.now();
              await classes.classify(file, { ood: false });
              photo = Math.min(photo, performance.now() - start);
            }
            lens.free();
            return { ready, photo };
          },
          [server.url, model, device, Number(options.photos)],
        );
        found[model].ready.push(ready);
        found[model].photo.push(photo);
      }
    }
    for (const [model, numbers] of Object.entries(found)) {
      for (const [name, all] of Object.entries(numbers)) {
        const sorted = [...all].sort((a, b) => a - b);
        console.log(`${device} ${model} ${name}: median ${sorted[Math.floor(sorted.length / 2)].toFixed(0)} ms, least ${sorted[0].toFixed(0)} ms`);
      }
    }
  }
} finally {
  await browser.close();
  await server.close();
}
