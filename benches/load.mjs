#!/usr/bin/env node
// How long a model takes to load, by stage, through the package in Chromium: a first visit that fetches
// float32 weights from a server on this machine and packs them, and a second one that reads the pack.
//   node benches/load.mjs [--site dist] [--mini ../shared/models/mini-0] [--rounds 3] [--device webgpu] [--gpu] [--out FILE.json]
// ViT-B/32 is random, of the true shapes, with the tokenizer of the built-in model. Needs the packages of
// tests/browser (scripts/setup.sh tests).
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { WEBGPU } from "../scripts/chromium.mjs";
import { serve } from "../scripts/serve.mjs";
import { VIT_B_32, writeHuggingFace } from "../tests/browser/checkpoint.mjs";
import { openBrowser, openSite } from "../tests/browser/harness.mjs";

const { values: options } = parseArgs({
  options: {
    site: { type: "string", default: "dist" },
    mini: { type: "string", default: "../shared/models/mini-0" },
    rounds: { type: "string", default: "3" },
    device: { type: "string", default: "webgpu" },
    gpu: { type: "boolean", default: false },
    out: { type: "string" },
  },
});
const MIB = 2 ** 20;
const load = () => readFileSync("/proc/loadavg", "utf8").split(" ").slice(0, 3).join(" ");
const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];

const folder = mkdtempSync(join(os.tmpdir(), "promptlens-load-"));
await writeHuggingFace(folder, VIT_B_32);
copyFileSync(join(options.site, "models/mini/tokenizer.json"), join(folder, "tokenizer.json"));
const headers = { "Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "ETag" };
const servers = { mini: await serve({ root: resolve(options.mini), headers }), "ViT-B/32": await serve({ root: folder, headers }) };
const site = await openSite({ "": resolve(options.site) });
const { browser, page, close } = await openBrowser({ webgpu: !options.gpu, args: options.gpu ? WEBGPU : [] });
const before = load();

/** Loads a model once and frees it; `fresh` forgets what is kept of any before. */
const visit = (model, quantization, fresh) =>
  page.evaluate(
    async ([entry, settings, forget]) => {
      const { PromptLens } = await import(entry);
      if (forget) for (const { id } of await PromptLens.models.stored()) await PromptLens.models.delete(id);
      const start = performance.now();
      const lens = await PromptLens.load(settings);
      const ready = performance.now() - start;
      const { loadTimes, heapBytes, device, store } = lens.info;
      lens.free();
      return { ...loadTimes, ready, heap: heapBytes.afterLoad, device, kept: store.kept };
    },
    [`${site.url}pkg/index.js`, { model: servers[model].url, quantization, device: options.device }, fresh],
  );

const rows = [];
try {
  // Of the site: no script of a page runs beside the measurement, and its storage is the package's.
  await page.goto(`${site.url}models/mini/README.md`);
  await visit("mini", "q8", true);
  for (const model of Object.keys(servers)) {
    for (const quantization of ["q8", "q4"]) {
      const visits = { first: [], second: [] };
      for (let round = 0; round < Number(options.rounds); round += 1) {
        for (const [time, list] of Object.entries(visits)) list.push(await visit(model, quantization, time === "first"));
      }
      for (const [time, list] of Object.entries(visits)) {
        if (!list.every(({ kept }) => kept)) throw new Error(`${model} was not kept`);
        rows.push({ model, quantization, visit: time, device: list[0].device, rounds: list });
      }
    }
  }
} finally {
  await close();
  await site.close();
  for (const server of Object.values(servers)) await server.close();
  rmSync(folder, { recursive: true, force: true });
}

const [cpu] = os.cpus();
const { kind, architecture } = rows[0].device;
console.log(`${cpu.model}, ${os.cpus().length} cores, load ${before} before and ${load()} after; Chromium ${browser.browser()?.version() ?? ""}`);
console.log(`device ${kind} ${architecture}; median of ${options.rounds}; seconds\n`);
const stages = ["source", "hash", "quantise", "upload", "keep", "ready"];
console.log(`| model | form | visit | ${stages.join(" | ")} | wasm heap |\n|---|---|---|${"--:|".repeat(stages.length + 1)}`);
for (const { model, quantization, visit: time, rounds } of rows) {
  const cells = stages.map((stage) => (median(rounds.map((round) => round[stage])) / 1000).toFixed(2));
  const heap = Math.max(...rounds.map((round) => round.heap)) / MIB;
  console.log(`| ${model} | ${quantization} | ${time} | ${cells.join(" | ")} | ${heap.toFixed(0)} MiB |`);
}
if (options.out) writeFileSync(options.out, `${JSON.stringify({ date: new Date().toISOString(), cpu: cpu.model, before, after: load(), rows }, null, 1)}\n`);
