#!/usr/bin/env node
// Tries a release in a bare folder: the command line, the site and the npm package answer alike.
//   node scripts/release-check.mjs FOLDER VERSION
// FOLDER holds app/ with the package installed, and the site and the command line unpacked. The browser and
// the server are the tests' own; nothing else of the checkout takes part.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { openBrowser } from "../tests/browser/harness.mjs";
import { serve } from "./serve.mjs";

const [folder, version] = [resolve(process.argv[2]), process.argv[3]];
const LABELS = ["rocket", "dog", "church"];
const TOLERANCE = 1e-4;
const site = join(folder, `promptlens-${version}-site`);
const photo = join(site, "samples/rocket.jpg");
const program = join(folder, `promptlens-${version}-x86_64-linux/promptlens`);
const run = async (...args) => (await promisify(execFile)(program, args, { cwd: folder })).stdout;

const byLabel = (predictions) => predictions.map(({ label, probability }) => [label, probability]).sort();

/** Asserts that two answers are the same. */
function same(what, found, expected) {
  assert.deepEqual(found.map(([label]) => label), expected.map(([label]) => label), what);
  found.forEach(([label, probability], i) => assert.ok(Math.abs(probability - expected[i][1]) < TOLERANCE, `${what}, ${label}: ${probability} instead of ${expected[i][1]}`));
  console.log(`${what}: ${found.map(([label, probability]) => `${label} ${probability.toFixed(4)}`).join(", ")}`);
}

/** What the package at `entry` answers in a page, and its version. */
const answerOf = (page, entry, image) =>
  page.evaluate(
    async ([entry, image, labels]) => {
      const { PromptLens } = await import(entry);
      const lens = await PromptLens.load({ model: new URL("/site/models/mini/", location.href).href, device: "cpu", store: false });
      const classes = await lens.classes(labels);
      const { predictions } = await classes.classify(await (await fetch(image)).blob());
      const answer = { predictions, version: lens.info.version };
      lens.free();
      return answer;
    },
    [entry, image, LABELS],
  );

assert.equal((await run("--version")).trim(), `promptlens ${version}`);
const { results } = JSON.parse(await run("classify", "--model", join(site, "models/mini"), "--labels", LABELS.join(","), "--json", photo));
const expected = byLabel(results[0].predictions);
assert.equal(results[0].predictions[0].label, "rocket");
same("command line", expected, expected);

// One site: the page below a path, and an application beside it.
await cp(site, join(folder, "app/site"), { recursive: true });
await writeFile(join(folder, "app/index.html"), '<!doctype html><title>Application</title><link rel="icon" href="data:,">');
const server = await serve({ root: join(folder, "app") });
const { page, close } = await openBrowser({ webgpu: false });
try {
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(error.message));
  await page.goto(server.url);
  for (const [what, entry] of Object.entries({ "npm package": "/node_modules/promptlens/index.js", "the site's package": "/site/pkg/index.js" })) {
    const answer = await answerOf(page, entry, "/site/samples/rocket.jpg");
    assert.equal(answer.version, version, what);
    same(what, byLabel(answer.predictions), expected);
  }
  await page.goto(`${server.url}site/`);
  await page.locator("main").waitFor();
  assert.match(await page.title(), /promptlens/i);
  assert.deepEqual(complaints, []);
  console.log(`page: opens as "${await page.title()}"`);
} finally {
  await close();
  await server.close();
}
