#!/usr/bin/env node
// From which cosine on two photos are nearly the same: the cosines of different photos, and those of photos with
// changed copies of them, in Chromium on the CPU. The page's thresholds in www/ui/local.js come from it.
//   PROMPTLENS_SHARED=../shared node benches/alike.mjs [--models mini,mini-vit]
// It needs the built site in dist/ and what `scripts/setup.sh tests` installs.
import { parseArgs } from "node:util";
import { DIST, openBrowser, openSite, PAGES, shared } from "../tests/browser/harness.mjs";
import { changed, jpeg, large, sample, some } from "../tests/browser/pile.mjs";
import { loadPackage } from "../tests/browser/support.mjs";
import { readTar } from "../tests/browser/tar.mjs";

const { values: given } = parseArgs({ options: { models: { type: "string", default: "mini,mini-vit" } } });
const THRESHOLDS = [0.88, 0.9, 0.92, 0.95, 0.97, 0.98, 0.99, 0.995];
const COPIES = {
  "JPEG quality 75": { quality: 0.75 },
  "JPEG quality 50": { quality: 0.5 },
  "half the size": { scale: 0.5 },
  "two thirds of the size, quality 60": { scale: 2 / 3, quality: 0.6 },
  "a tenth brighter": { light: 1.1 },
  "a tenth darker, quality 80": { light: 0.9, quality: 0.8 },
  "3 % cut off each side length": { crop: 0.97 },
  "10 % cut off": { crop: 0.9 },
};
const OBJECTS = ["English springer", "French horn", "cassette player", "chain saw", "church", "garbage truck", "gas pump", "golf ball", "parachute", "tench"];

const site = await openSite({ "": DIST, test: PAGES });
const { page, close } = await openBrowser({ webgpu: false });
await page.goto(`${site.url}about.html`);

const imagenet = (await readTar(shared("data/imagenet1000.tar.gz"), (name) => name.endsWith(".jpg"), 500)).map(({ name, bytes }) => jpeg(name, bytes));
const sets = {
  "imagenet1000, one photo of each name": imagenet,
  "photos of the same thing: imagenette, flowers, textures": [
    ...(await some("imagenette", OBJECTS, 40)),
    ...(await some("flowers", ["daisy", "roses", "sunflowers"], 20)),
    ...(await some("textures", ["banded", "bubbly", "cracked"], 20)),
  ],
};
const originals = await large(page, 46);
for (const name of ["cat", "cup", "rocket"]) originals.push(jpeg(name, await sample(name)));
const copies = {};
for (const [what, how] of Object.entries(COPIES)) {
  copies[what] = [];
  for (const { buffer } of originals) copies[what].push(await changed(page, buffer, how));
}

const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
const row = (cells) => console.log(`| ${cells.join(" | ")} |`);

for (const model of given.models.split(",")) {
  const { message } = await loadPackage(page, site.url, { model: `../models/${model}/`, device: "cpu" });
  if (message) throw new Error(message);
  const embed = (bytes) =>
    page.evaluate(async (text) => Array.from(await window.lens.embedImage(new Blob([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))]))), bytes.toString("base64"));
  console.log(`\n${model}\n`);
  row(["", "count", "lowest", "median", "highest", ...THRESHOLDS.map((threshold) => `${threshold} or more`)]);
  row(["---", ...Array(4 + THRESHOLDS.length).fill("--:")]);
  const say = (what, cosines) => {
    const sorted = cosines.sort((a, b) => a - b);
    const figures = [sorted[0], sorted[sorted.length >> 1], sorted.at(-1)].map((value) => value.toFixed(3));
    row([what, sorted.length, ...figures, ...THRESHOLDS.map((threshold) => sorted.filter((value) => value >= threshold).length)]);
  };
  for (const [what, photos] of Object.entries(sets)) {
    const features = [];
    for (const { buffer } of photos) features.push(await embed(buffer));
    say(`pairs: ${what}`, features.flatMap((feature, i) => features.slice(0, i).map((other) => dot(feature, other))));
  }
  const features = [];
  for (const { buffer } of originals) features.push(await embed(buffer));
  for (const what of Object.keys(COPIES)) {
    const cosines = [];
    for (const [i, bytes] of copies[what].entries()) cosines.push(dot(features[i], await embed(bytes)));
    say(`copies: ${what}`, cosines);
  }
}
await close();
await site.close();
