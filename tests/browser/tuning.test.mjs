// Test-time tuning through the package in Chromium on WebGPU.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { cli, cliOffers, DIST, needsShared, openBrowser, openSite, PAGES } from "./harness.mjs";
import { classifyInPage, comparePredictions, LABELS, loadPackage, photo, TEMPLATE } from "./support.mjs";

/** Few views, because a software adapter takes a second for each. */
const TPT = { tune: "tpt", views: 8, seed: 1, ood: false };

describe("tuning", { skip: needsShared, timeout: 900_000 }, () => {
  let site;
  let session;
  let page;
  let church;
  let horse;
  /** The church, tuned. */
  let tuned;
  /** The church, not tuned. */
  let plain;

  before(async () => {
    site = await openSite({ "": DIST, test: PAGES });
    session = await openBrowser();
    page = session.page;
    church = await photo("imagenette", "test/church/");
    horse = await photo("cifar10", "test/horse/");
    const loaded = await loadPackage(page, site.url, { model: "../models/mini-vit/", device: "webgpu" });
    assert.equal(loaded.message, undefined);
    plain = await classify(church, {});
    tuned = await classify(church, TPT);
    assert.equal(tuned.message, undefined);
  });
  after(async () => {
    await session?.close();
    await site?.close();
  });

  const classify = ({ buffer }, how, labels = LABELS) => classifyInPage(page, labels, buffer, { templates: [TEMPLATE] }, how);
  const answer = ({ predictions, tuning }) => ({ predictions, tuning });

  test("says what it did", () => {
    const { predictions, tuning, timings, events } = tuned;
    assert.equal(plain.tuning, null);
    assert.equal(tuning.views, 8);
    assert.equal(tuning.kept, 2);
    assert.equal(tuning.guarded, false);
    assert.ok(tuning.entropyAfter < tuning.entropyBefore - 1e-6, `${tuning.entropyBefore} -> ${tuning.entropyAfter}`);
    comparePredictions(assert, tuning.predictionsBefore, plain.predictions, 1e-4);
    assert.notDeepEqual(predictions, plain.predictions);
    const probabilities = predictions.map(({ probability }) => probability);
    assert.deepEqual(probabilities, [...probabilities].sort((a, b) => b - a));
    assert.ok(Math.abs(probabilities.reduce((a, b) => a + b) - 1) < 1e-5);
    assert.ok(timings.tune > 0 && timings.encode > 0 && timings.total >= timings.tune + timings.encode);

    assert.equal(tuning.keptViews.length, tuning.kept);
    const entropies = tuning.keptViews.map(({ entropy }) => entropy);
    assert.deepEqual(entropies, [...entropies].sort((a, b) => a - b));
    for (const { index, entropy, size, thumbnail } of tuning.keptViews) {
      assert.ok(index >= 0 && index < 8);
      assert.ok(entropy >= 0 && entropy <= Math.log(LABELS.length));
      assert.equal(thumbnail.length, 3 * size * size);
      assert.ok(new Set(thumbnail).size > 10, "the thumbnail is blank");
    }
    for (const stage of ["views", "tune"]) {
      const steps = events.filter((event) => event.stage === stage);
      assert.ok(steps.length >= 2, `${stage}: ${steps.length} steps`);
      steps.reduce((last, { loaded }) => (assert.ok(loaded >= last, stage), loaded), 0);
      for (const { loaded, total } of steps) assert.ok(loaded <= total, `${stage}: ${loaded} of ${total}`);
    }
  });

  test("words behind the name take part, and borrowed words are told", async () => {
    assert.equal(tuned.tuning.startedFrom, null);
    const asked = (template, how) => classifyInPage(page, LABELS, church.buffer, { templates: [template] }, how);
    const behind = "a photo of a {}, a type of flower.";
    const { tuning } = await asked(behind, TPT);
    assert.equal(tuning.startedFrom, null);
    comparePredictions(assert, tuning.predictionsBefore, (await asked(behind, {})).predictions, 1e-4);
    assert.equal((await asked("{} outside.", TPT)).tuning.startedFrom, "a photo of a");
  });

  test("nothing is kept from one photo to the next", async () => {
    const other = await classify(horse, TPT);
    assert.notDeepEqual(answer(other), answer(tuned));
    assert.deepEqual(answer(await classify(church, TPT)), answer(tuned));
  });

  test("the seed decides the views", async () => {
    const other = await classify(church, { ...TPT, seed: 2 });
    assert.deepEqual(other.tuning.predictionsBefore, tuned.tuning.predictionsBefore);
    assert.notDeepEqual(other.tuning.keptViews, tuned.tuning.keptViews);
  });

  test("answers as the command line does on the CPU", async (t) => {
    if (!(await cliOffers("classify", "--tune"))) return t.skip("this command line does not tune");
    const file = join(site.folder, church.name);
    await writeFile(file, church.buffer);
    const common = ["--model", join(DIST, "models/mini-vit"), "--device", "cpu", "--labels", LABELS.join(","), "--template", TEMPLATE];
    const { results } = await cli("classify", ...common, "--tune", "tpt", "--views", "8", "--seed", "1", file);
    const [{ predictions, tuning }] = results;
    comparePredictions(assert, tuned.predictions, predictions, 0.01);
    comparePredictions(assert, tuned.tuning.predictionsBefore, tuning.predictions_before, 0.01);
    assert.equal(tuned.tuning.kept, tuning.kept);
    assert.equal(tuned.tuning.views, tuning.views);
    for (const [name, key] of [["entropyBefore", "entropy_before"], ["entropyAfter", "entropy_after"]]) {
      assert.ok(Math.abs(tuned.tuning[name] - tuning[key]) <= 1e-2, `${name}: ${tuned.tuning[name]} instead of ${tuning[key]}`);
    }
  });

  test("DiffTPT-lite takes its own way", async () => {
    const lite = await classify(church, { ...TPT, tune: "difftpt-lite", steps: 2 });
    assert.equal(lite.message, undefined);
    // 7 views beside the plain one: 5 pass the cosine filter, and 30 % of 6 are kept.
    assert.equal(lite.tuning.kept, 1);
    assert.equal(lite.tuning.guarded, false);
    assert.ok(lite.tuning.entropyAfter < lite.tuning.entropyBefore);
    assert.notDeepEqual(lite.predictions, tuned.predictions);
    assert.deepEqual(lite.tuning.predictionsBefore, tuned.tuning.predictionsBefore);
  });

  test("one name, one view, all views", async () => {
    const name = await classify(horse, TPT, ["horse"]);
    assert.deepEqual(name.predictions, [{ label: "horse", probability: 1 }]);
    assert.equal(name.tuning.guarded, false);
    for (const entropy of [name.tuning.entropyBefore, name.tuning.entropyAfter]) assert.ok(Math.abs(entropy) < 1e-6);

    const view = await classify(horse, { ...TPT, views: 1 });
    assert.deepEqual([view.tuning.views, view.tuning.kept, view.tuning.keptViews[0].index], [1, 1, 0]);
    assert.ok(view.tuning.entropyAfter < view.tuning.entropyBefore);

    const all = await classify(horse, { ...TPT, views: 4, rho: 1 });
    assert.equal(all.tuning.kept, 4);
  });

  test("settings that cannot be used are refused", async () => {
    const wrong = [{ tune: "magic" }, { views: 0 }, { views: -1 }, { steps: 0 }, { steps: 1000 }, { rho: 0 }, { rho: 2 }, { seed: -1 }, { seed: 0.5 }];
    for (const how of wrong) {
      const outcome = await classify(horse, { ...TPT, ...how }, ["horse"]);
      assert.equal(outcome.code, "options/invalid", `${JSON.stringify(how)}: ${outcome.code} ${outcome.message}`);
      assert.equal(outcome.name, "PromptLensError");
    }
  });

  test("the page shows what it did, also of photos that were tiles", async () => {
    const { page: tiles, close } = await openBrowser({ webgpu: false });
    try {
      const complaints = [];
      tiles.on("pageerror", ({ message }) => complaints.push(message));
      await tiles.goto(`${site.url}?device=cpu&model=./models/mini-vit/&labels=church,horse&tune=tpt&views=16`);
      await tiles.setInputFiles("#files", [church, horse]);
      await tiles.selectOption("#view", "grid");
      // The newest photo comes first; it is answered as a tile, as the two before it need not be.
      await tiles.setInputFiles("#files", church);
      await tiles.waitForFunction(() => document.querySelectorAll(".tile[data-state=done]").length === 3);
      await tiles.click('.tile[aria-posinset="1"] button');
      await tiles.waitForSelector("#details[open] .tuned-sentence");
      // The pictures of views are kept for photos in sight only.
      assert.equal(await tiles.locator("#details .view").count(), 0);
      assert.equal(await tiles.isVisible("#details .views"), false);
      assert.deepEqual(complaints, []);
    } finally {
      await close();
    }
  });

  test("stops half-way, and works on", async () => {
    const stopped = await page.evaluate(
      async ([labels, base64, how]) => {
        const blob = new Blob([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))]);
        const classes = await window.lens.classes(labels);
        const outcomes = {};
        for (const stage of ["views", "tune"]) {
          const stop = new AbortController();
          const onProgress = (event) => event.stage === stage && event.loaded > 0 && stop.abort();
          outcomes[stage] = await classes
            .classify(blob, { ...how, signal: stop.signal, onProgress })
            .then(() => "answered", (error) => error.code);
        }
        classes.free();
        return outcomes;
      },
      [LABELS, church.buffer.toString("base64"), TPT],
    );
    assert.deepEqual(stopped, { views: "engine/cancelled", tune: "engine/cancelled" });
    assert.deepEqual(answer(await classify(church, TPT)), answer(tuned));
  });
});
