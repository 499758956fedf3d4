#!/usr/bin/env node
// How many steps of learning a second, through the package in Chromium, on the CPU tier.
//   node benches/training.mjs [--site dist] [--classes 100] [--photos 200] [--batch 32] [--rounds 3]
// The built-in model's features have 512 numbers. Photos are painted: speed does not depend on them.
import { readFileSync } from "node:fs";
import os from "node:os";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { serve } from "../scripts/serve.mjs";
import { openBrowser } from "./browser.mjs";

const { values: options } = parseArgs({
  options: {
    site: { type: "string", default: "dist" },
    classes: { type: "string", default: "100" },
    photos: { type: "string", default: "200" },
    batch: { type: "string", default: "32" },
    rounds: { type: "string", default: "3" },
  },
});
const server = await serve({ root: resolve(options.site) });
const { browser, page, version } = await openBrowser(true);
try {
  await page.goto(`${server.url}models/mini/README.md`);
  const found = await page.evaluate(
    async ([entry, classes, photos, batch, rounds]) => {
      const { PromptLens } = await import(entry);
      const lens = await PromptLens.load({ model: "./", device: "cpu" });
      const names = Array.from({ length: classes }, (_, i) => `thing ${i}`);
      const set = await lens.classes(names);
      const canvas = new OffscreenCanvas(64, 64);
      const brush = canvas.getContext("2d");
      const examples = [];
      for (let i = 0; i < photos; i += 1) {
        brush.fillStyle = `hsl(${(i * 137) % 360} 70% 50%)`;
        brush.fillRect(0, 0, 64, 64);
        examples.push({ image: await canvas.convertToBlob(), label: names[i % classes] });
      }
      const measured = [];
      for (const [recipe, epochs] of [["cones", 60], ["tip-adapter-f", 20], ["coop", 4]]) {
        for (let round = 0; round < rounds; round += 1) {
          let last = 0;
          let longest = 0;
          const onProgress = ({ loss }) => {
            const at = performance.now();
            if (loss !== undefined && last) longest = Math.max(longest, at - last);
            if (loss !== undefined) last = at;
          };
          const { report } = await set.train(examples, { recipe, epochs, batch, crops: 1, onProgress });
          measured.push({ recipe, steps: report.losses.length, seconds: report.seconds, longest });
        }
      }
      return { dimension: lens.info.dimension, device: lens.info.device.kind, measured };
    },
    [`${server.url}pkg/index.js`, ...["classes", "photos", "batch", "rounds"].map((name) => Number(options[name]))],
  );
  const [cpu] = os.cpus();
  const load = readFileSync("/proc/loadavg", "utf8").split(" ").slice(0, 3).join(" ");
  console.log(`${cpu.model}, ${os.cpus().length} cores, load ${load}; Chromium ${version}; device ${found.device}`);
  console.log(`K = ${options.classes}, d = ${found.dimension}, batch ${options.batch}, ${options.photos} photos\n`);
  console.log("| recipe | steps | steps per second | longest wait between two steps |\n|---|--:|--:|--:|");
  for (const { recipe, steps, seconds, longest } of found.measured) {
    console.log(`| ${recipe} | ${steps} | ${(steps / seconds).toFixed(0)} | ${longest.toFixed(0)} ms |`);
  }
} finally {
  await browser.close();
  await server.close();
}
