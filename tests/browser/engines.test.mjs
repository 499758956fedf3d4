// Three browser engines: the same page of checks in each, and every answer beside the command line's.
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { after, before, describe, test } from "node:test";
import { CALIBRATION, differences, NAMES, PICTURES, TEMPLATES } from "./engines/cases.js";
import { golden, native, nativeAnswers } from "./engines/golden.mjs";
import { checksOf, compatibility, deviceName, LAUNCHERS, missing, RUNS, TOLERANCE } from "./engines/runs.mjs";
import { openEngineSite } from "./engines/site.mjs";
import { DIST, openBrowser, openSite, PAGES } from "./harness.mjs";

/** What is printed at the end. */
const table = [];
after(() => console.table(Object.fromEntries(table)));

/** A row of the table: how far from the golden answers, and the seconds it took. */
function note(what, version, found, seconds) {
  const short = (value) => (value === undefined ? "" : value.toExponential(1));
  const { lists, answers, tuned, taught, losses, threshold } = found;
  table.push([what, { version, lists, answers: short(answers), tuned: short(tuned), taught: short(taught), losses: short(losses), threshold: short(threshold), seconds }]);
}

/** Asserts that all lists were compared, and every part of the answers, within `tolerance`. */
function within(tolerance, { lists, ...found }, parts) {
  assert.equal(lists, PICTURES.length * TEMPLATES.length);
  assert.deepEqual(Object.keys(found), parts);
  for (const [part, value] of Object.entries(found)) assert.ok(value <= tolerance, `${part}: ${value}`);
}

const ALL = ["answers", "tuned", "taught", "losses", "threshold"];

/** What the page of checks reports. */
async function reportOf(page, url, device) {
  await page.goto(`${url}test/engines/checks.html?device=${device}`);
  const began = performance.now();
  for (;;) {
    const { report, doing } = await page.evaluate(() => ({ report: window.report ?? null, doing: window.doing ?? null }));
    if (report) return report;
    if (performance.now() - began > 900_000) throw new Error(`The checks are not done after fifteen minutes: ${doing}`);
    await pause(250);
  }
}

describe("the command line", { timeout: 600_000 }, () => {
  test(`answers ${PICTURES.length} pictures for ${TEMPLATES.length} prompts on the CPU as it did`, async () => {
    const began = performance.now();
    const found = differences(await native("cpu"), await golden());
    note("command line, cpu", "", found, Math.round((performance.now() - began) / 1000));
    within(TOLERANCE.cpu, found, ALL);
  });

  test("answers them on a software Vulkan adapter alike", async () => {
    const began = performance.now();
    const found = differences({ answers: await nativeAnswers("webgpu") }, await golden());
    note("command line, webgpu", "", found, Math.round((performance.now() - began) / 1000));
    within(TOLERANCE.webgpu, found, ["answers"]);
  });
});

for (const run of RUNS) {
  const { engine, name, device, adapter } = run;
  describe(`${name} on ${adapter ?? "the CPU"}`, { skip: missing(engine), timeout: 1_000_000 }, () => {
    let site;
    let session;
    let report;

    before(async () => {
      const began = performance.now();
      site = await openEngineSite();
      session = await openBrowser({ engine, webgpu: device === "webgpu" });
      report = await reportOf(session.page, site.url, device);
      report.seconds.all = Math.round(performance.now() - began) / 1000;
      console.log(`${name}, ${device}: ${JSON.stringify(report.seconds)}`);
    });
    after(async () => {
      await session?.close();
      await site?.close();
    });

    test("every check runs to its end", () => {
      assert.equal(report.failure, undefined, JSON.stringify(report.failure));
      // WebKit's driver hands over the parts of an object in any order.
      assert.deepEqual(Object.keys(report.found).sort(), checksOf(run).sort());
    });

    test("the browser is as new as the README says", async () => {
      const parts = (version) => version.split(".").map(Number);
      const stated = parts((await compatibility()).find((row) => row.name === name && row.device === deviceName(run)).version);
      const [found, asked] = [parts(session.version), stated].map((all) => all.slice(0, stated.length));
      const place = asked.findIndex((part, i) => part !== found[i]);
      assert.ok(place < 0 || found[place] > asked[place], `${session.version} is here, and the README says ${stated.join(".")}`);
    });

    test("the built-in model loads on the device that was asked for, and passes its self-test", () => {
      const { device: used, selfTest, store } = report.found.load;
      assert.equal(used.kind, device);
      assert.equal(used.fallback, device === "webgpu");
      assert.ok(selfTest.passed && selfTest.maxError < TOLERANCE[device], String(selfTest.maxError));
      assert.equal(store.kept, true, store.reason);
    });

    test(`every answer is the command line's within ${TOLERANCE[device]}`, async () => {
      const { classify, tune, teach, calibrate } = report.found;
      const answered = { answers: classify, tuned: tune.answer, taught: teach, threshold: calibrate.threshold };
      const found = differences(answered, await golden());
      note(`${name}, ${device}`, session.version, found, Math.round(report.seconds.all));
      within(TOLERANCE[device], found, ALL);
    });

    test("tuning makes the answer surer, learning lowers the loss, and the threshold is used", () => {
      const { tune, teach, calibrate } = report.found;
      assert.ok(tune.after < tune.before, `${tune.after} instead of less than ${tune.before}`);
      assert.ok(teach.losses.at(-1) < teach.losses[0], String(teach.losses));
      assert.deepEqual(teach.failures, []);
      assert.ok(teach.bytes > 1000, `${teach.bytes} bytes`);
      assert.equal(teach.answer.length, NAMES.length);
      assert.equal(calibrate.n, CALIBRATION.length);
      assert.equal(calibrate.used, calibrate.threshold);
    });

    if (device === "webgpu") {
      test("kernels agree with the CPU", () => {
        const { cases, failed } = report.found.kernels;
        assert.ok(cases >= 16, `${cases} cases`);
        assert.deepEqual(failed, []);
      });
    }
  });
}

describe("what one engine lacks", { timeout: 900_000 }, () => {
  for (const engine of Object.keys(LAUNCHERS)) {
    test(`${engine}: where models are kept, and what becomes of WebGPU`, { skip: missing(engine) }, async () => {
      const site = await openSite({ "": DIST, test: PAGES });
      const session = await openBrowser({ engine, webgpu: false });
      try {
        await session.page.goto(`${site.url}test/package.html`);
        const found = await session.page.evaluate(async () => {
          const { PromptLens } = await import("../pkg/index.js");
          const { kind } = await PromptLens.models.usage();
          const load = (device) => PromptLens.load({ model: "../models/mini-vit/", device });
          const refused = await load("webgpu").catch(({ code }) => code);
          const lens = await load("auto");
          const { device } = lens.info;
          lens.free();
          return { kind, refused, device };
        });
        assert.equal(found.kind, engine === "webkit" ? "cache" : "opfs");
        assert.equal(found.refused, "gpu/unavailable");
        assert.equal(found.device.kind, "cpu");
        const without = engine === "chromium" ? "this browser has WebGPU but offers no adapter for it" : "this browser has no WebGPU";
        assert.equal(found.device.reason, without);
      } finally {
        await session.close();
        await site.close();
      }
    });
  }

  for (const engine of Object.keys(LAUNCHERS)) {
    // The engine's compiled code is shared between workers through the page, and Firefox lets no page have it
    // whose policy forbids WebAssembly. The package asks for 'wasm-unsafe-eval', so no page should be without it.
    const works = engine !== "firefox";
    test(`${engine} ${works ? "loads" : "does not load"} on a page whose policy lacks 'wasm-unsafe-eval'`, { skip: missing(engine) }, async () => {
      const site = await openSite({ "": DIST });
      const session = await openBrowser({ engine, webgpu: false });
      try {
        await session.page.goto(`${site.url}about.html`);
        const outcome = await session.page.evaluate(async () => {
          const { PromptLens } = await import("./pkg/index.js");
          return PromptLens.load({ model: "./models/mini-vit/", device: "cpu" }).then((lens) => lens.info.device.kind, ({ code }) => code);
        });
        assert.equal(outcome, works ? "cpu" : "engine/internal");
      } finally {
        await session.close();
        await site.close();
      }
    });
  }
});
