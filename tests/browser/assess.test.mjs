// How good a classifier is on labelled photos, through the package in Chromium and beside the command line.
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { cli, DIST, needsShared, openBrowser, openSite, PAGES } from "./harness.mjs";
import { lesson } from "./lesson.mjs";
import { loadPackage, TEMPLATE } from "./support.mjs";

const MODEL = ["--model", join(DIST, "models/mini-vit"), "--device", "cpu"];
/** So many photos of a class. */
const EACH = 3;

describe("assess", { skip: needsShared, timeout: 900_000 }, () => {
  let site;
  let session;
  let page;
  let given;
  let labels;
  let found;

  before(async () => {
    given = await lesson("imagenette", EACH);
    labels = [...new Set(given.map(({ label }) => label))].sort();
    site = await openSite({ "": DIST, test: PAGES });
    session = await openBrowser({ webgpu: false });
    page = session.page;
    const loaded = await loadPackage(page, site.url, { model: "../models/mini-vit/", device: "cpu" });
    assert.equal(loaded.message, undefined);
    const files = given.map(({ label, bytes }) => ({ label, base64: Buffer.from(bytes).toString("base64") }));
    found = await page.evaluate(
      async ([photos, names, templates]) => {
        window.examples = photos.map(({ label, base64 }) => ({ label, image: new Blob([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))]) }));
        const classes = await window.lens.classes(names, { templates });
        const events = [];
        const bad = { label: names[0], image: new Blob(["no photo"]) };
        const assessment = await classes.assess([...window.examples, bad], { onProgress: (event) => events.push([event.stage, event.loaded, event.total]) });
        window.answers = [];
        for (const { image, label } of window.examples) window.answers.push({ label, ...(await classes.classify(image, { ood: false })) });
        const again = await classes.assessAnswers(window.answers);
        classes.free();
        return { assessment, again, events };
      },
      [files, labels, [TEMPLATE]],
    );
  });
  after(async () => {
    await session?.close();
    await site?.close();
  });

  test("every photo is counted, and one that cannot be read is told", () => {
    const { assessment, again, events } = found;
    assert.equal(assessment.n, given.length);
    assert.deepEqual(assessment.confusion.map((row) => row.reduce((a, b) => a + b)), labels.map(() => EACH));
    const right = assessment.confusion.reduce((sum, row, k) => sum + row[k], 0);
    assert.ok(Math.abs(assessment.accuracy - right / given.length) < 1e-12);
    assert.deepEqual(assessment.failures.map(({ index, code }) => [index, code]), [[given.length, "image/unknown-format"]]);
    assert.deepEqual(events.at(-1), ["assess", given.length + 1, given.length + 1]);
    const { failures, ...measured } = assessment;
    assert.deepEqual({ ...again, failures: undefined }, { ...measured, failures: undefined });
    assert.equal(measured.reliability.bins.length, 15);
  });

  test("the command line finds the same", async () => {
    const folder = join(site.folder, "labelled");
    for (const { name, label, bytes } of given) {
      await mkdir(join(folder, label), { recursive: true });
      await writeFile(join(folder, label, name), bytes);
    }
    const { assessment } = await cli("eval", ...MODEL, "--data", folder, "--labels", labels.join(","));
    assert.deepEqual(assessment.confusion, found.assessment.confusion);
    // Answers agree to 1e-4 between the two; a photo at the border of a bin could move.
    for (const [own, theirs] of [
      [found.assessment.reliability.nll, assessment.reliability.nll],
      [found.assessment.reliability.confidence, assessment.reliability.confidence],
      [found.assessment.temperature, assessment.temperature],
    ]) {
      assert.ok(Math.abs(own - theirs) < 1e-3 * Math.max(1, theirs), `${own} ${theirs}`);
    }
  });

  test("a temperature changes percentages, and neither their order nor a score", async () => {
    const { cooled, scores } = await page.evaluate(
      async ([names, templates]) => {
        const [{ image }] = window.examples;
        const scores = [];
        const cooled = [];
        for (const temperature of [1, 2]) {
          const classes = await window.lens.classes(names, { templates, temperature });
          const { predictions, ood } = await classes.classify(image);
          cooled.push(predictions);
          scores.push(ood.value);
          classes.free();
        }
        return { cooled, scores };
      },
      [labels, [TEMPLATE]],
    );
    const [plain, warm] = cooled;
    assert.deepEqual(warm.map(({ label }) => label), plain.map(({ label }) => label));
    assert.equal(scores[0], scores[1]);
    // softmax(z / 2) is the square root of softmax(z), brought to a sum of one.
    const roots = plain.map(({ probability }) => Math.sqrt(probability));
    const sum = roots.reduce((a, b) => a + b);
    warm.forEach(({ probability }, k) => assert.ok(Math.abs(probability - roots[k] / sum) < 1e-9));
  });

  test("what does not fit is refused", async () => {
    const codes = await page.evaluate(async (names) => {
      const code = (promise) => promise.then(() => "none", (error) => error.code);
      const classes = await window.lens.classes(names);
      const stop = new AbortController();
      stop.abort();
      const found = [
        await code(window.lens.classes(names, { temperature: 0 })),
        await code(window.lens.classes(names, { temperature: Number.NaN })),
        await code(classes.assess([{ image: window.examples[0].image, label: "no such class" }])),
        await code(classes.assess([])),
        await code(classes.assess(window.examples, { signal: stop.signal })),
        await code(classes.assessAnswers([{ label: names[0], predictions: [{ label: "other", probability: 1 }] }])),
      ];
      classes.free();
      return found;
    }, labels);
    assert.deepEqual(codes, ["options/invalid", "options/invalid", "options/invalid", "data/empty", "engine/cancelled", "options/invalid"]);
  });
});
