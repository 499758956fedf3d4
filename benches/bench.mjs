#!/usr/bin/env node
// Measures promptlens and its peers in one browser run. scripts/bench.sh prepares and calls it.
//   node benches/bench.mjs --site FOLDER --out FILE.json
//     [--rounds 5]     warm repeats of every operation, interleaved over all subjects
//     [--slow 15]      an operation above so many seconds is repeated only once
//     [--only REGEX]   subjects and pipelines by name
//     [--gpu]          the machine's own adapter instead of the software one
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import os from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import { serve } from "../scripts/serve.mjs";
import { openBrowser } from "./browser.mjs";
import { PIPELINES, SUBJECTS } from "./subjects.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const LABELS = ["cat", "dog", "church", "French horn", "golf ball", "sunflowers", "parachute", "ship", "chain saw", "horse"];
const MIB = 1024 * 1024;

const { values: options } = parseArgs({
  options: {
    site: { type: "string" },
    out: { type: "string" },
    rounds: { type: "string", default: "5" },
    slow: { type: "string", default: "15" },
    only: { type: "string", default: "" },
    gpu: { type: "boolean", default: false },
  },
});
const rounds = Number(options.rounds);
const slow = Number(options.slow) * 1000;
const wanted = ({ name }) => new RegExp(options.only).test(name);

const median = (list) => {
  const sorted = [...list].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};
const cosine = (a, b) => {
  const dot = (x, y) => x.reduce((sum, value, i) => sum + value * y[i], 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
};
const say = (line) => console.log(`${new Date().toISOString().slice(11, 19)} ${line}`);
const seconds = (ms) => `${(ms / 1000).toFixed(ms < 10_000 ? 3 : 1)} s`;

const load = () => readFileSync("/proc/loadavg", "utf8").trim();
const installed = (name) => JSON.parse(readFileSync(join(here, "node_modules", name, "package.json"))).version;

/** Resident MiB of every process that this one started, the browser's: who closed it may have been the kernel. */
function resident() {
  const parents = new Map();
  const sizes = new Map();
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const status = readFileSync(`/proc/${pid}/status`, "utf8");
      parents.set(pid, /^PPid:\s+(\d+)/m.exec(status)[1]);
      sizes.set(pid, Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0));
    } catch {
      // It ended meanwhile.
    }
  }
  const ours = (pid) => pid === String(process.pid) || (parents.has(pid) && ours(parents.get(pid)));
  let kib = 0;
  for (const [pid, size] of sizes) if (pid !== String(process.pid) && ours(pid)) kib += size;
  return Math.round(kib / 1024);
}

function machine() {
  const [cpu] = os.cpus();
  return {
    cpu: cpu.model,
    cores: os.cpus().length,
    memoryGiB: Math.round(os.totalmem() / MIB / 1024),
    system: `${os.type()} ${os.release()}`,
    nice: os.getPriority(),
  };
}

function versions(chromium) {
  const lock = readFileSync(join(here, "../Cargo.lock"), "utf8");
  const burn = /name = "burn"\nversion = "(.*)"/.exec(lock)[1];
  const commit = execFileSync("git", ["-C", here, "describe", "--always", "--dirty"], { encoding: "utf8" }).trim();
  return {
    promptlens: commit,
    burn,
    chromium,
    node: process.versions.node,
    "onnxruntime-web": installed("onnxruntime-web"),
    "@huggingface/transformers": installed("@huggingface/transformers"),
    "onnxruntime-web of transformers": installed("@huggingface/transformers/node_modules/onnxruntime-web"),
  };
}

const transferSize = (path) => {
  const file = join(options.site, path);
  return { bytes: statSync(file).size, gzip9: gzipSync(readFileSync(file), { level: 9 }).length };
};

const server = await serve({ root: options.site });
const { browser, page, version } = await openBrowser(!options.gpu);
await page.goto(`${server.url}pages/bench.html`);
await page.waitForFunction(() => window.bench);
page.on("console", (message) => {
  if (message.type() === "error") say(`console: ${message.text().slice(0, 300)}`);
});
page.on("pageerror", (error) => say(`page: ${error.message}`));
page.on("crash", () => say(`the page crashed at ${resident()} MiB`));
let closing = false;
browser.on("disconnected", () => {
  if (!closing) say(`the browser closed; free memory ${Math.round(os.freemem() / MIB)} MiB of ${Math.round(os.totalmem() / MIB)}`);
});

const start = (name, script) => page.evaluate((args) => window.bench.start(...args), [name, script]);
const run = (name, op, args) => page.evaluate((all) => window.bench.run(...all), [name, op, args]);
// A browser that is gone has nothing left to stop.
const stop = (name) => page.evaluate((which) => window.bench.stop(which), name).catch(() => {});

const adapter = await page.evaluate(async () => {
  const found = await navigator.gpu?.requestAdapter();
  if (!found) return null;
  const { vendor, architecture, device, description, isFallbackAdapter } = found.info;
  return { vendor, architecture, device, description, isFallbackAdapter, features: [...found.features] };
});

const report = {
  date: new Date().toISOString(),
  command: `scripts/bench.sh ${process.env.BENCH_ARGUMENTS ?? ""}`.trim(),
  machine: machine(),
  versions: versions(version),
  adapter,
  loadBefore: load(),
  code: {
    promptlens: transferSize("pkg/promptlens_bg.wasm"),
    "onnxruntime-web webgpu": transferSize("onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm"),
    "onnxruntime-web wasm": transferSize("onnxruntime-web/ort-wasm-simd-threaded.wasm"),
  },
  subjects: [],
  pipelines: [],
};

/** Writes what is known so far: a run takes long, and a browser may die in it. */
function save() {
  for (const { operations } of report.subjects) {
    for (const times of Object.values(operations)) {
      times.repeats = times.warm.length;
      times.median = times.warm.length ? median(times.warm) : null;
    }
  }
  report.loadAfter = load();
  report.browserMiB = Math.max(report.browserMiB ?? 0, resident());
  const features = (key, value) => (key === "features" ? undefined : value);
  mkdirSync(dirname(options.out), { recursive: true });
  writeFileSync(options.out, `${JSON.stringify(report, features, 1)}\n`);
}

/** Loads a subject and runs every operation once, cold. */
async function enter(subject) {
  const { name, by, model, device, weights } = subject;
  const entry = { name, by, model, device, weights, operations: {}, features: {} };
  report.subjects.push(entry);
  try {
    await start(name, subject.script);
    const { ms, value } = await run(name, "load", subject.load);
    entry.load = { ms, ...value };
    for (const op of subject.operations) {
      const first = await run(name, op);
      entry.operations[op] = { cold: first.ms, warm: [] };
      entry.features[op] = first.value;
      say(`${name}: ${op} cold ${seconds(first.ms)}`);
    }
  } catch (error) {
    entry.error = error.message;
    say(`${name}: ${error.message}`);
    await stop(name);
  }
  save();
}

async function pipeline({ name, model, device, soak, tune }) {
  const entry = { name, model, device };
  report.pipelines.push(entry);
  try {
    await start(name, "promptlens");
    const { ms, value } = await run(name, "load", { model: `../models/${model}/`, device });
    entry.load = { ms, stages: value.stages };
    const text = [];
    const steps = { decode: [], preprocess: [], encode: [], total: [] };
    for (let i = 0; i < rounds; i += 1) {
      text.push((await run(name, "classes", { labels: LABELS })).ms);
      const { value: result } = await run(name, "classify");
      for (const step of Object.keys(steps)) steps[step].push(result.timings[step]);
    }
    entry.text = { classes: LABELS.length, cold: text[0], warm: median(text.slice(1)) };
    entry.steps = Object.fromEntries(
      Object.entries(steps).map(([step, list]) => [step, { cold: list[0], warm: median(list.slice(1)) }]),
    );
    say(`${name}: text ${seconds(entry.text.warm)}, image ${seconds(entry.steps.total.warm)}`);
    if (tune) {
      const runs = [];
      for (let i = 0; i < tune; i += 1) {
        runs.push((await run(name, "classify", { options: { tune: "tpt" } })).value.timings);
      }
      const part = (step) => ({ cold: runs[0][step], warm: median(runs.slice(1).map((timings) => timings[step])) });
      entry.tpt = { views: part("encode"), steps: part("tune"), total: part("total") };
      say(`${name}: test-time tuning ${seconds(entry.tpt.total.warm)}`);
    }
    if (soak) entry.soak = (await run(name, "soak", { times: soak })).value;
  } catch (error) {
    entry.error = error.message;
    say(`${name}: ${error.message}`);
  }
  await stop(name);
}

const subjects = SUBJECTS.filter(wanted);
for (const subject of subjects) await enter(subject);
for (let round = 0; round < rounds; round += 1) {
  say(`round ${round + 1} of ${rounds}, load ${load()}, browser ${resident()} MiB`);
  for (const entry of report.subjects.filter(({ error }) => !error)) {
    for (const [op, times] of Object.entries(entry.operations)) {
      if (times.cold > slow && round > 0) continue;
      times.warm.push((await run(entry.name, op)).ms);
      save();
    }
  }
}
// Our f32 on the CPU backend is the reference of each model.
for (const entry of report.subjects) {
  const reference = report.subjects.find((e) => e.name === `promptlens cpu ${entry.model} f32`);
  entry.cosineToCpuF32 = Object.fromEntries(
    Object.entries(entry.features).map(([op, feature]) => [
      op,
      reference?.features[op] ? cosine(feature, reference.features[op]) : null,
    ]),
  );
}
save();
for (const { name, error } of report.subjects) if (!error) await stop(name);
for (const each of PIPELINES.filter(wanted)) {
  await pipeline(each);
  save();
}
closing = true;
await browser.close();
await server.close();

for (const { name, error, load: loaded, operations, cosineToCpuF32 } of report.subjects) {
  if (error) {
    console.log(`${name}: ${error}`);
    continue;
  }
  const times = Object.entries(operations).map(
    ([op, { cold, median: warm }]) => `${op} ${seconds(warm)} (cold ${seconds(cold)}, cosine ${cosineToCpuF32[op]?.toFixed(6)})`,
  );
  const memory = loaded.memory?.gpu.created
    ? `, GPU ${(loaded.memory.gpu.held / MIB).toFixed(0)} MiB, peak ${(loaded.memory.peak / MIB).toFixed(0)} MiB`
    : "";
  console.log(`${name}: load ${seconds(loaded.ms)}, ${times.join(", ")}${memory}`);
}
say(`written to ${options.out}`);
