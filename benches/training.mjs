#!/usr/bin/env node
// How many steps of learning a second, through the package in Chromium, on the CPU tier.
//   node benches/training.mjs [--site dist] [--classes 100] [--photos 200] [--batch 32] [--rounds 3]
// The built-in model's features have 512 numbers. Photos are painted: speed does not depend on them.
import { existsSync, readdirSync, readFileSync } from "node:fs";
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
/** Seconds of processor time of the page's process: what a busy machine does not stretch. Linux only. */
function processorTime() {
  if (!existsSync("/proc/self/stat")) return 0;
  const TICKS = 100;
  const all = new Map();
  for (const id of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const fields = readFileSync(`/proc/${id}/stat`, "utf8").split(") ").at(-1).split(" ");
      const command = readFileSync(`/proc/${id}/cmdline`, "utf8");
      all.set(Number(id), { parent: Number(fields[1]), time: Number(fields[11]) + Number(fields[12]), command });
    } catch {
      // It ended meanwhile.
    }
  }
  const ours = (id) => id === process.pid || (all.has(id) && ours(all.get(id).parent));
  const renderers = [...all].filter(([id, { command }]) => command.includes("--type=renderer") && ours(id));
  return renderers.reduce((sum, [, { time }]) => sum + time, 0) / TICKS;
}

const server = await serve({ root: resolve(options.site) });
const { browser, page, version } = await openBrowser(true);
try {
  await page.goto(`${server.url}models/mini/README.md`);
  const found = await page.evaluate(
    async ([entry, classes, photos]) => {
      const { PromptLens } = await import(entry);
      const lens = await PromptLens.load({ model: "./", device: "cpu" });
      const names = Array.from({ length: classes }, (_, i) => `thing ${i}`);
      window.set = await lens.classes(names);
      const canvas = new OffscreenCanvas(64, 64);
      const brush = canvas.getContext("2d");
      window.examples = [];
      for (let i = 0; i < photos; i += 1) {
        brush.fillStyle = `hsl(${(i * 137) % 360} 70% 50%)`;
        brush.fillRect(0, 0, 64, 64);
        window.examples.push({ image: await canvas.convertToBlob(), label: names[i % classes] });
      }
      return { dimension: lens.info.dimension, device: lens.info.device.kind };
    },
    [`${server.url}pkg/index.js`, ...["classes", "photos"].map((name) => Number(options[name]))],
  );
  /** Learns once. Processor time counts from the first step on, so that the photos' features are not in it. */
  let before = 0;
  await page.exposeFunction("learning", () => (before = processorTime()));
  const learn = async (recipe, epochs) => {
    const own = await page.evaluate(
      async ([recipe, epochs, batch]) => {
        let last = 0;
        let longest = 0;
        const onProgress = ({ loss }) => {
          if (loss === undefined) return;
          const at = performance.now();
          if (last) longest = Math.max(longest, at - last);
          else window.learning();
          last = at;
        };
        const { report } = await window.set.train(window.examples, { recipe, epochs, batch, crops: 1, onProgress });
        return { recipe, steps: report.losses.length, seconds: report.seconds, longest };
      },
      [recipe, epochs, Number(options.batch)],
    );
    return { ...own, processor: processorTime() - before };
  };
  found.measured = [];
  for (const [recipe, epochs] of [["taskres", 60], ["tip-adapter-f", 20], ["coop-snapshots", 4]]) {
    for (let round = 0; round < Number(options.rounds); round += 1) found.measured.push(await learn(recipe, epochs));
  }
  const [cpu] = os.cpus();
  const load = readFileSync("/proc/loadavg", "utf8").split(" ").slice(0, 3).join(" ");
  console.log(`${cpu.model}, ${os.cpus().length} cores, load ${load}; Chromium ${version}; device ${found.device}`);
  console.log(`K = ${options.classes}, d = ${found.dimension}, batch ${options.batch}, ${options.photos} photos\n`);
  console.log("| recipe | steps | steps per second | per second of processor time | longest wait between two steps |\n|---|--:|--:|--:|--:|");
  for (const { recipe, steps, seconds, processor, longest } of found.measured) {
    const pure = processor > 0 ? (steps / processor).toFixed(0) : "-";
    console.log(`| ${recipe} | ${steps} | ${(steps / seconds).toFixed(0)} | ${pure} | ${longest.toFixed(0)} ms |`);
  }
} finally {
  await browser.close();
  await server.close();
}
