// A GPU device that is destroyed in the middle of a call, in both engines that have WebGPU: the call ends with a
// code or with the right answer, and the next load answers. lost.test.mjs has the page's side of it.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { DIST, needsShared, openBrowser, openSite, PAGES, shared } from "./harness.mjs";
import { missing } from "./engines/runs.mjs";

/** In each call, after which submission the device is destroyed. */
const SUBMISSION = { load: 2, classify: 1, tune: 3, train: 3, calibrate: 3 };

/** A load may also fail at its self-test, or at the first copy that the device refuses. */
const CODES = { load: ["gpu/lost", "gpu/self-test-failed", "engine/internal"] };

/** In Firefox a refused copy ends the engine's code as well. */
const ALSO = { firefox: ["engine/internal"] };

const CASES = [
  ...Object.keys(SUBMISSION).map((call) => ["chromium", call]),
  ["firefox", "load"],
  ["firefox", "classify"],
  ["firefox", "tune"],
];

/** Runs one call on a device that is destroyed in it, then the same on the CPU; in the page. */
async function destroyed([call, at, patience]) {
  const names = ["cat", "church", "cup", "rocket"];
  const inOrder = ({ predictions }) => names.map((name) => predictions.find(({ label }) => label === name).probability);
  const photos = await Promise.all(names.map(async (name) => (await fetch(`../samples/${name}.jpg`)).blob()));
  const calls = {
    load: () => [names.length],
    classify: async (classes) => inOrder(await classes.classify(photos[0])),
    tune: async (classes) => inOrder(await classes.classify(photos[0], { tune: "tpt", views: 8 })),
    train: async (classes) => {
      const prompt = await classes.train(names.map((label, i) => ({ image: photos[i], label })), { crops: 1, epochs: 4 });
      return prompt.report.losses;
    },
    calibrate: async (classes) => [(await classes.calibrate(Array.from({ length: 19 }, (_, i) => photos[i % 4]))).threshold],
  };
  const { PromptLens } = await import("../pkg/index.js");
  // Only a model with a self-test computes while it is loaded; the other one takes fewer seconds.
  const load = (options) => PromptLens.load({ model: `../models/${call === "load" ? "mini-vit" : "tiny"}/`, ...options });
  const work = async (lens) => calls[call](await lens.classes(names));
  /** An answer or a refusal; if none has come in time, what comes once the engine is freed. */
  const told = async (promise) => {
    const settled = promise.then((answer) => ({ answer }), ({ code, message }) => ({ code, message }));
    const waits = new Promise((resolve) => setTimeout(() => resolve(null), patience));
    const outcome = await Promise.race([settled, waits]);
    if (outcome) return outcome;
    lens?.free();
    return { waits: true, freed: await settled };
  };

  const address = (path) => JSON.stringify(new URL(path, location).href);
  // Tuning is an option of classify.
  const operation = call === "tune" ? "classify" : call;
  const script = `import ${address(`destroying-worker.js?op=${operation}&at=${at}`)}; import ${address("../pkg/worker.js")};`;
  const url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
  let lens;
  const loading = load({ device: "webgpu", worker: new Worker(url, { type: "module" }) });
  const loaded = await told(loading.then((made) => ((lens = made), null)));
  const outcome = lens ? await told(work(lens)) : loaded;
  // A device that is gone stays so.
  const later = lens && !outcome.waits && (await told(lens.embedText(["a cat"])));
  lens?.free();

  const again = await load({ device: "cpu" });
  const expected = await work(again);
  again.free();
  return { outcome, later, expected };
}

for (const engine of ["chromium", "firefox"]) {
  describe(`a GPU device that is destroyed, in ${engine}`, { skip: needsShared || missing(engine), timeout: 900_000 }, () => {
    let site;
    let session;

    before(async () => {
      site = await openSite({ "": DIST, test: PAGES, "models/tiny": shared("fixtures/tiny-rand") });
      session = await openBrowser({ engine });
    });
    after(async () => {
      await session?.close();
      await site?.close();
    });

    for (const [, call] of CASES.filter(([own]) => own === engine)) {
      test(`during ${call}`, async () => {
        await session.page.goto(`${site.url}test/package.html`);
        const { outcome, later, expected } = await session.page.evaluate(destroyed, [call, SUBMISSION[call], 120_000]);
        console.log(`${engine}, ${call}: ${JSON.stringify(outcome)}`);
        // The next load answered.
        assert.ok(expected.every(Number.isFinite), String(expected));
        assert.equal(outcome.waits, undefined, "the call hangs");
        const codes = [...(CODES[call] ?? ["gpu/lost"]), ...(ALSO[engine] ?? [])];
        assert.ok(codes.includes(outcome.code), JSON.stringify(outcome));
        if (later) assert.ok(codes.includes(later.code), JSON.stringify(later));
      });
    }
  });
}
