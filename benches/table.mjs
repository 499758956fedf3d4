#!/usr/bin/env node
// Prints the tables of a result, as benches/reports has them.
//   node benches/table.mjs benches/results/DATE.json
import { readFileSync } from "node:fs";

const MIB = 1024 * 1024;
const report = JSON.parse(readFileSync(process.argv[2], "utf8"));
const { machine, versions, adapter } = report;

const time = (ms) => {
  if (ms === null || ms === undefined) return "";
  if (ms < 100) return `${ms.toFixed(1)} ms`;
  return ms < 1000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
};
const mib = (bytes) => (bytes / MIB).toFixed(1);
const row = (cells) => console.log(`| ${cells.join(" | ")} |`);
const table = (head) => {
  console.log("");
  row(head);
  console.log(`|${head.map((_, i) => (i ? "--:" : "---")).join("|")}|`);
};
const subject = (name) => report.subjects.find((entry) => entry.name === name && !entry.error);
const warm = (entry, op) => entry?.operations[op]?.median ?? null;

console.log(`- Date: ${report.date}; command: \`${report.command}\``);
console.log(`- Machine: ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.system}, nice ${machine.nice}`);
console.log(`- Load average before: ${report.loadBefore}; after: ${report.loadAfter}; the browser took at most ${report.browserMiB} MiB`);
console.log(`- Adapter: ${adapter ? `${adapter.vendor} ${adapter.architecture}${adapter.isFallbackAdapter ? ", software" : ""}` : "none"}`);
console.log(`- ${Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(", ")}`);

table(["model", "weights", "engine", "device", "load", "image, first", "image", "text, first", "text, 8 tokens", "repeats", "cosine image, text"]);
for (const entry of report.subjects) {
  const { model, weights, by, device, load, operations, error, cosineToCpuF32: cosine = {} } = entry;
  if (error) {
    row([model, weights, by, device, error.split("\n")[0], "", "", "", "", "", ""]);
    continue;
  }
  const { image, text } = operations;
  const cosines = [cosine.image, cosine.text].filter((value) => typeof value === "number");
  row([
    model, weights, by, device, time(load.ms), time(image?.cold), time(image?.median), time(text?.cold), time(text?.median),
    [image?.repeats, text?.repeats].filter((n) => n !== undefined).join(", "),
    cosines.map((value) => value.toFixed(6)).join(", "),
  ]);
}

const best = (device, op) =>
  ["", " fused"]
    .map((form) => warm(subject(`onnxruntime-web ${device} vit-b-32 f32${form}`), op))
    .filter((ms) => ms !== null)
    .sort((a, b) => a - b)[0];
table(["ViT-B/32", "ours", "onnxruntime-web, faster graph", "theirs / ours"]);
for (const [ours, theirs] of [["webgpu", "webgpu"], ["cpu", "wasm"]]) {
  for (const op of ["image", "text"]) {
    for (const weights of ["f32", "q8", "q4"]) {
      const mine = warm(subject(`promptlens ${ours} vit-b-32 ${weights}`), op);
      const peer = best(theirs, op);
      if (mine !== null && peer) row([`${op}, ${ours} ${weights}`, time(mine), time(peer), (peer / mine).toFixed(2)]);
    }
  }
}

const stock = subject("stock Burn webgpu vit-b-32 f32");
if (stock) {
  table(["ViT-B/32 f32, webgpu", "ours", "stock Burn", "stock / ours"]);
  for (const op of ["image", "text"]) {
    const [mine, theirs] = [warm(subject("promptlens webgpu vit-b-32 f32"), op), warm(stock, op)];
    if (mine !== null && theirs !== null) row([op, time(mine), time(theirs), (theirs / mine).toFixed(1)]);
  }
}

table(["ours on webgpu", "GPU MiB after load", "GPU MiB peak", "wasm MiB after load"]);
for (const { name, load, error } of report.subjects) {
  if (error || !load.memory?.gpu.created) continue;
  row([name, mib(load.memory.gpu.held), mib(load.memory.peak), mib(load.memory.wasm)]);
}

const stages = [...new Set(report.subjects.flatMap(({ load }) => Object.keys(load?.stages ?? {})))];
table(["load by stage", ...stages]);
for (const { name, load } of report.subjects) {
  if (load?.stages) row([name, ...stages.map((stage) => time(load.stages[stage]))]);
}

const steps = ["decode", "preprocess", "encode", "total"];
const tuning = ["views", "steps", "total"];
table(["photo of 1024 x 768", "10 class texts", ...steps, ...tuning.map((step) => `TPT, 64 views: ${step}`)]);
for (const { name, text, steps: found, tpt, error } of report.pipelines) {
  const cells = error
    ? [error.split("\n")[0], ...steps, ...tuning].map((cell, i) => (i ? "" : cell))
    : [text, ...steps.map((step) => found[step]), ...tuning.map((step) => tpt?.[step])].map((value) => time(value?.warm));
  row([name, ...cells]);
}

table(["after images", "GPU MiB", "GPU buffers made", "wasm MiB"]);
for (const { name, soak } of report.pipelines) {
  for (const { images, gpu, wasm } of soak ?? []) row([`${name}, ${images}`, mib(gpu.held), gpu.created, mib(wasm)]);
}

table(["code", "bytes", "gzip -9"]);
for (const [name, { bytes, gzip9 }] of Object.entries(report.code)) row([name, bytes, gzip9]);
