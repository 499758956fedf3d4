#!/usr/bin/env node
/**
 * A long day of the package in Chromium: photos, tunings, trainings and switches of the model, in
 * equal rounds, and what the engine, the GPU and the page hold after each.
 *
 *   node tests/browser/soak.mjs [cpu|webgpu] [SCALE]   SCALE 1 (the default): 2,000 photos, 50 tunings,
 *                                                       20 trainings, 20 switches
 */
import { rename, writeFile } from "node:fs/promises";
import { cpus } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { DIST, openBrowser, openSite, PAGES } from "./harness.mjs";

const SAMPLES = ["cat", "cup", "rocket", "church"];

/** How often everything is done in a whole day. */
const DAY = { photos: 2000, tunings: 50, trainings: 20, switches: 20 };

/** How often everything is done in one of `rounds` rounds of so much of a day; each kind at least once, so that all rounds are alike. */
const perRound = (scale, rounds) => Object.fromEntries(Object.entries(DAY).map(([name, count]) => [name, Math.ceil((count * scale) / rounds)]));

/** In the page: loads the model that answers all day, and reads the other once, which is kept from then on. */
async function open([root, device]) {
  const { PromptLens } = await import(`${root}pkg/index.js`);
  for (const model of ["mini", "mini-vit"]) (await PromptLens.load({ model: `${root}models/${model}/`, device })).free();
  window.lens = await PromptLens.load({ model: `${root}models/mini-vit/`, device });
}

/** In the page: one round. */
async function round([root, device, { photos, tunings, trainings, switches }, samples]) {
  const { PromptLens } = await import(`${root}pkg/index.js`);
  window.files ??= await Promise.all(samples.map(async (name) => (await fetch(`${root}samples/${name}.jpg`)).blob()));
  const names = samples.map((name) => (name === "cup" ? "coffee cup" : name));
  // To another model and back: it is there beside the one that stays, which goes on as before.
  for (let i = 0; i < switches; i += 1) {
    const other = await PromptLens.load({ model: `${root}models/mini/`, device });
    (await other.classes(names)).free();
    other.free();
  }
  const { lens, files } = window;
  const classes = await lens.classes(names);
  const answers = [];
  for (let i = 0; i < photos; i += 1) answers.push((await classes.classify(files[i % files.length])).predictions[0].label);
  for (let i = 0; i < tunings; i += 1) await classes.classify(files[i % files.length], { tune: "tpt", views: 8, seed: i });
  for (let i = 0; i < trainings; i += 1) {
    const examples = files.map((image, k) => ({ image, label: names[k] }));
    const prompt = await classes.train(examples, { recipe: "coop", epochs: 2, crops: 2, seed: i });
    const taught = await lens.classes(names, { prompt });
    answers.push((await taught.classify(files[0])).predictions[0].label);
    taught.free();
  }
  classes.free();
  return answers;
}

/** In the page: what the engine that stays says that it holds; those that ended say nothing. */
const held = () =>
  new Promise((resolve) => {
    const channel = new BroadcastChannel("soak");
    channel.onmessage = ({ data }) => {
      channel.close();
      resolve(data);
    };
    channel.postMessage("what is held");
  });

/**
 * @param {{device?: "cpu" | "webgpu", scale?: number, count?: number, tell?: (line: string) => void}} options
 * @returns {Promise<{rounds: {engine: number, gpu: number, heap: number, nodes: number, listeners: number, workers: number}[], answers: string[][]}>}
 *   bytes of the engine's memory, of GPU buffers and of the page's objects, and counts
 */
export async function soak({ device = "cpu", scale = 1, count = 10, tell = () => {} } = {}) {
  const account = fileURLToPath(new URL("../../benches/pages/account.js", import.meta.url));
  const site = await openSite({ "": DIST, test: PAGES, "pkg/account.js": account, "pkg/soak.js": join(PAGES, "soak-worker.js") });
  await rename(join(site.folder, "pkg/worker.js"), join(site.folder, "pkg/real-worker.js"));
  await writeFile(join(site.folder, "pkg/worker.js"), 'import "./soak.js";\nimport "./real-worker.js";\n');
  const session = await openBrowser({ args: ["--js-flags=--expose-gc"] });
  try {
    const { page } = session;
    await page.goto(`${site.url}test/package.html`);
    const devtools = await session.browser.newCDPSession(page);
    await devtools.send("Performance.enable");
    await page.evaluate(open, [site.url, device]);
    const rounds = [];
    const answers = [];
    for (let i = 0; i < count; i += 1) {
      answers.push(await page.evaluate(round, [site.url, device, perRound(scale, count), SAMPLES]));
      const own = await page.evaluate(held);
      await devtools.send("HeapProfiler.collectGarbage");
      const { metrics } = await devtools.send("Performance.getMetrics");
      const metric = (name) => metrics.find((entry) => entry.name === name).value;
      rounds.push({ ...own, heap: metric("JSHeapUsedSize"), nodes: metric("Nodes"), listeners: metric("JSEventListeners"), workers: page.workers().length });
      tell(`round ${i + 1}: ${Object.entries(rounds.at(-1)).map(([name, value]) => `${name} ${value}`).join(", ")}`);
    }
    return { rounds, answers };
  } finally {
    await session.close();
    await site.close();
  }
}

/** By how much the last round holds more than the first, as shares of the first, and counts that grew. */
export function growth(rounds) {
  const [first, last] = [rounds[0], rounds.at(-1)];
  const bytes = ({ engine, gpu, heap }) => engine + gpu + heap;
  return {
    memory: bytes(last) / bytes(first) - 1,
    gpu: first.gpu === 0 ? last.gpu : last.gpu / first.gpu - 1,
    handles: Object.fromEntries(["nodes", "listeners", "workers"].map((name) => [name, last[name] - first[name]])),
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [device = "cpu", scale = "1"] = process.argv.slice(2);
  const began = performance.now();
  const { rounds } = await soak({ device, scale: Number(scale), tell: console.log });
  console.log(JSON.stringify({ device, scale: Number(scale), day: DAY, growth: growth(rounds), seconds: Math.round((performance.now() - began) / 1000), machine: cpus()[0].model, date: new Date().toISOString().slice(0, 10) }));
}
