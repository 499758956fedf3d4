// Many photos in one call: in the package, with a thread for decoding beside the engine's.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { DIST, ENGINES, needsShared, openBrowser, openSite, PAGES } from "./harness.mjs";
import { loadPackage, photos } from "./support.mjs";

const NAMES = ["church", "parachute", "chain saw", "golf ball", "French horn"];

for (const engine of ENGINES) {
  describe(`many photos in ${engine}`, { skip: needsShared, timeout: 900_000 }, () => {
    let site;
    let session;
    let page;
    // Firefox has no adapter here.
    const device = engine === "firefox" ? "cpu" : "webgpu";
    const tolerance = device === "cpu" ? 1e-6 : 1e-4;

    before(async () => {
      site = await openSite({ "": DIST, test: PAGES });
      session = await openBrowser({ engine });
      page = session.page;
      const loaded = await loadPackage(page, site.url, { model: "../models/mini/", device });
      assert.equal(loaded.message, undefined);
      const files = [];
      for (const name of ["church", "parachute", "golf_ball"]) files.push(...(await photos("imagenette", `test/${name.replace("_", " ")}/`, 4)));
      // The fourth cannot be decoded.
      files.splice(3, 0, { buffer: Buffer.from("no photo") });
      await page.evaluate(
        async ([names, encoded]) => {
          window.files = encoded.map((text) => new Blob([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))]));
          window.classes = await window.lens.classes(names);
          window.collect = async (options, images = window.files) => {
            const answers = [];
            try {
              for await (const { index, image, result, error } of window.classes.classifyAll(images, options)) {
                answers.push({ index, same: image === window.files[index], result, error: error && { code: error.code, message: error.message } });
              }
            } catch (error) {
              return { answers, code: error.code, message: error.message };
            }
            return { answers };
          };
        },
        [NAMES, files.map(({ buffer }) => buffer.toString("base64"))],
      );
    });
    after(async () => {
      await session?.close();
      await site?.close();
    });

    test("have the answers of one by one, in their order, and a bad file stops none", async () => {
      const { together, single } = await page.evaluate(async () => {
        const options = { ood: "gl-mcm" };
        const together = await window.collect(options);
        const single = [];
        for (const file of window.files) {
          single.push(await window.classes.classify(file, options).catch(({ code }) => ({ code })));
        }
        return { together, single };
      });
      assert.equal(together.message, undefined);
      assert.deepEqual(together.answers.map(({ index }) => index), single.map((_, i) => i));
      together.answers.forEach(({ same, result, error }, i) => {
        assert.ok(same, `photo ${i} came back as another one`);
        if (i === 3) {
          assert.equal(error.code, "image/unknown-format");
          assert.equal(single[i].code, "image/unknown-format");
          return;
        }
        const expected = single[i];
        assert.deepEqual(Object.keys(result).sort(), Object.keys(expected).sort());
        assert.deepEqual(result.predictions.map(({ label }) => label), expected.predictions.map(({ label }) => label));
        result.predictions.forEach(({ probability }, k) => {
          const difference = Math.abs(probability - expected.predictions[k].probability);
          assert.ok(difference <= tolerance, `photo ${i}: probabilities differ by ${difference}`);
        });
        assert.ok(Math.abs(result.ood.value - expected.ood.value) <= tolerance, `photo ${i}: scores differ`);
        assert.ok(result.timings.encode > 0 && result.timings.total >= result.timings.encode, `photo ${i}: ${JSON.stringify(result.timings)}`);
      });
    });

    test("may come as soon as they are there", async () => {
      const { answers } = await page.evaluate(() => window.collect({ order: "completion", concurrency: 3 }));
      assert.deepEqual(answers.map(({ index }) => index).sort((a, b) => a - b), [...Array(13).keys()]);
    });

    test("are taken from the list as the work goes on, and leaving the loop ends it", async () => {
      const seen = await page.evaluate(async () => {
        let taken = 0;
        let closed = false;
        async function* endless() {
          try {
            for (;;) yield window.files[taken++ % 3];
          } finally {
            closed = true;
          }
        }
        let answered = 0;
        for await (const { result } of window.classes.classifyAll(endless(), { concurrency: 2 })) {
          answered += result.predictions.length > 0;
          if (answered === 30) break;
        }
        // The engine is free again at once.
        await window.classes.classify(window.files[0]);
        return { taken, closed, answered };
      });
      assert.equal(seen.answered, 30);
      assert.ok(seen.taken < 60, `${seen.taken} photos were taken for 30 answers`);
      assert.equal(seen.closed, true);
    });

    test("stop when the caller aborts", async () => {
      const { code, then } = await page.evaluate(async () => {
        const abort = new AbortController();
        async function* some() {
          yield* window.files.slice(0, 3);
          abort.abort();
          yield* window.files;
        }
        const { code } = await window.collect({ signal: abort.signal }, some());
        const then = await window.classes.classify(window.files[0]);
        return { code, then: then.predictions.length };
      });
      assert.equal(code, "engine/cancelled");
      assert.equal(then, NAMES.length);
    });

    test("with tuning or maps are answered one by one, with the progress of each", async () => {
      const { answers, events } = await page.evaluate(async () => {
        const events = [];
        const onProgress = ({ index, stage }) => events.push([index, stage]);
        const { answers } = await window.collect({ tune: "tpt", views: 8, onProgress }, window.files.slice(2, 5));
        return { answers, events };
      });
      assert.deepEqual(answers.map(({ result, error }) => result?.tuning.views ?? error.code), [8, "image/unknown-format", 8]);
      for (const index of [0, 2]) assert.ok(events.some(([of, stage]) => of === index && stage === "tune"), `photo ${index} told no progress`);
    });

    test("refuse what belongs to single answers, and numbers that are none", async () => {
      const said = await page.evaluate(async () => {
        const codes = [];
        for (const options of [{ variants: [] }, { concurrency: 0 }, { order: "none" }, { nonsense: 1 }]) codes.push((await window.collect(options)).code);
        return codes;
      });
      assert.deepEqual(said, Array(4).fill("options/invalid"));
    });

    test("give the threshold that their scores have, a bad file left out", async () => {
      const { fitted, expected, events } = await page.evaluate(async () => {
        const events = [];
        const images = window.files.filter((_, i) => i !== 3);
        const twice = [...window.files, ...window.files];
        const scores = [];
        for (const image of images) scores.push((await window.classes.classify(image, { ood: "mcm" })).ood.value);
        const fitted = await window.classes.calibrate(twice, { ood: "mcm", concurrency: 2, onProgress: ({ stage, loaded, total }) => events.push([stage, loaded, total]) });
        const after = await window.classes.classify(images[0], { ood: "mcm" });
        return { fitted, expected: { scores: [...scores, ...scores], threshold: after.ood.threshold }, events };
      });
      assert.equal(fitted.n, 24);
      assert.deepEqual(fitted.failures.map(({ index, code }) => [index, code]), [3, 16].map((index) => [index, "image/unknown-format"]));
      fitted.scores.forEach((score, i) => assert.ok(Math.abs(score - expected.scores[i]) <= tolerance, `score ${i}`));
      assert.equal(expected.threshold, fitted.threshold);
      assert.equal([...fitted.scores].sort((a, b) => a - b)[fitted.m - 1], fitted.threshold);
      assert.deepEqual(events[0], ["calibrate", 0, 26]);
      assert.deepEqual(events.at(-1), ["calibrate", 26, 26]);
    });

    test("leave no worker behind", { skip: engine === "firefox" && "only Playwright's pages list their workers" }, async () => {
      await page.evaluate(() => window.collect());
      // Playwright hears of a worker's end some time after it.
      for (const end = Date.now() + 20_000; page.workers().length !== 1 && Date.now() < end; ) await page.waitForTimeout(50);
      assert.equal(page.workers().length, 1);
    });
  });
}

describe("many photos without workers for decoding", { skip: needsShared, timeout: 300_000 }, () => {
  test("are answered by the engine alone", async () => {
    const site = await openSite({ "": DIST, test: PAGES });
    const session = await openBrowser({ webgpu: false });
    try {
      await session.browser.route("**/view_worker.js", (route) => route.abort());
      await loadPackage(session.page, site.url, { model: "../models/mini/", device: "cpu" });
      const [file] = await photos("imagenette", "test/church/", 1);
      const best = await session.page.evaluate(
        async ([names, text]) => {
          const blob = new Blob([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))]);
          const classes = await window.lens.classes(names);
          const best = [];
          for await (const { result } of classes.classifyAll([blob, blob, blob])) best.push(result.predictions[0].label);
          return best;
        },
        [NAMES, file.buffer.toString("base64")],
      );
      assert.deepEqual(best, Array(3).fill("church"));
    } finally {
      await session.close();
      await site.close();
    }
  });
});
