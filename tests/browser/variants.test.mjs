// Pictures made from a photo elsewhere: through the package, and on the page.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { DIST, needsShared, openBrowser, openSite, PAGES } from "./harness.mjs";
import { looks } from "./looks.mjs";
import { englishLeft, LABELS, loadPackage, photo, photos } from "./support.mjs";

const HOW = { tune: "difftpt-lite", views: 5, ood: false };
const broken = { name: "broken.png", mimeType: "image/png", buffer: Buffer.from("no image") };

describe("variants", { skip: needsShared, timeout: 600_000 }, () => {
  let site;
  let session;
  let page;
  let church;
  let others;

  before(async () => {
    site = await openSite({ "": DIST, test: PAGES });
    session = await openBrowser({ webgpu: false, reducedMotion: "reduce" });
    page = session.page;
    church = await photo("imagenette", "test/church/");
    others = await photos("imagenette", "test/church/", 4);
  });
  after(async () => {
    await session?.close();
    await site?.close();
  });

  const settled = (count) => page.waitForFunction((n) => document.querySelectorAll(".card[data-state=done]").length === n, count);

  test("in the package they are views on top of the others", async () => {
    const loaded = await loadPackage(page, site.url, { model: "../models/mini-vit/", device: "cpu" });
    assert.equal(loaded.message, undefined);
    const classify = (variants, how) =>
      page.evaluate(
        async ([labels, image, made, asked]) => {
          const blob = (base64) => new Blob([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))]);
          const classes = await window.lens.classes(labels);
          const options = made ? { ...asked, variants: new Set(made.map(blob)) } : asked;
          return classes.classify(blob(image), options).catch(({ code, message }) => ({ code, message }));
        },
        [LABELS, church.buffer.toString("base64"), variants?.map(({ buffer }) => buffer.toString("base64")), how],
      );
    // The first is the photo itself, which tells what is done to it: nothing random.
    const { tuning } = await classify([church, others[1], broken, others[2]], { ...HOW, rho: 1 });
    assert.deepEqual([tuning.views, tuning.variants, tuning.kept], [9, 3, 7]);
    assert.deepEqual(tuning.variantFailures.map(({ index, code }) => [index, code]), [[2, "image/unknown-format"]]);
    const of = (index) => tuning.keptViews.find((view) => view.index === index);
    assert.deepEqual([of(0).kind, of(6).kind], ["plain", "variant"]);
    assert.deepEqual(of(6).thumbnail, of(0).thumbnail);
    assert.ok(Math.abs(of(6).entropy - of(0).entropy) < 1e-6);

    const without = await classify(undefined, HOW);
    assert.deepEqual(await classify([], HOW).then((result) => result.predictions), without.predictions);
    assert.equal((await classify([church], { ...HOW, tune: "tpt" })).code, "options/invalid");
    assert.equal((await classify([church], { ...HOW, tune: "none" })).code, "options/invalid");
    assert.equal((await classify([broken], HOW)).code, "data/empty");
  });

  test("in the package strong views borrow the style of a gallery", async () => {
    const kinds = (given) =>
      page.evaluate(
        async ([labels, image, pictures]) => {
          const blob = (base64) => new Blob([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))]);
          const classes = await window.lens.classes(labels);
          const asked = { tune: "difftpt-lite", views: 40, rho: 1, ood: false, gallery: pictures.map(blob) };
          const { tuning } = await classes.classify(blob(image), asked);
          if (!tuning.keptViews.every(({ thumbnail, size }) => thumbnail instanceof Uint8Array && thumbnail.length === 3 * size * size))
            throw new Error("a thumbnail is not RGB bytes");
          return tuning.keptViews.map(({ kind }) => kind);
        },
        [LABELS, church.buffer.toString("base64"), given.map(({ buffer }) => buffer.toString("base64"))],
      );
    const borrowed = (kind) => kind.endsWith(" transfer");
    assert.deepEqual((await kinds([])).filter(borrowed), []);
    assert.deepEqual(new Set((await kinds([others[1], broken])).filter(borrowed)), new Set(["amplitude transfer", "statistics transfer"]));
  });

  test("in the package views of one's own can be tuned on", async () => {
    const outcome = await page.evaluate(
      async ([labels, images]) => {
        const features = [];
        for (const image of images) features.push(await window.lens.embedImage(Uint8Array.from(atob(image), (c) => c.charCodeAt(0))));
        const classes = await window.lens.classes(labels);
        const code = (promise) => promise.then(() => "answered", (error) => error.code);
        const tuned = await classes.tuneFeatures(features, { rho: 0.5 });
        const onwards = await classes.tuneFeatures(features, { rho: 0.5, context: tuned.contexts[1] });
        const stop = new AbortController();
        stop.abort();
        return {
          tuned: { ...tuned, kinds: [...tuned.contexts, ...tuned.gradients].map((row) => row.constructor.name) },
          onwards: onwards.losses,
          wrong: [
            await code(classes.tuneFeatures([])),
            await code(classes.tuneFeatures([features[0], [1, 2]])),
            await code(classes.tuneFeatures([[1, 2]])),
            await code(classes.tuneFeatures(features, { context: [1] })),
            await code(classes.tuneFeatures(features, { steps: 0 })),
            await code(classes.tuneFeatures(features, { signal: stop.signal })),
          ],
        };
      },
      [LABELS, others.map(({ buffer }) => buffer.toString("base64"))],
    );
    const { tuned } = outcome;
    assert.deepEqual([tuned.selected.length, tuned.passed.length, tuned.entropies.length, tuned.losses.length], [2, 4, 4, 2]);
    assert.deepEqual(new Set(tuned.kinds), new Set(["Float32Array"]));
    assert.ok(tuned.losses[1] < tuned.losses[0] - 1e-6);
    // The tuned context can be gone on from.
    assert.ok(Math.abs(outcome.onwards[0] - tuned.losses[1]) < 1e-6);
    assert.deepEqual(outcome.wrong, [...Array(5).fill("options/invalid"), "engine/cancelled"]);
  });

  test("on the page they go with the photo that they are named after", async () => {
    await page.goto(`${site.url}?device=cpu&lang=en&labels=${encodeURIComponent(LABELS.join(","))}`);
    await page.waitForSelector("#status:is([data-state=ready], [data-state=failed])");
    await page.click("#tune > summary");
    assert.ok(await page.locator("#variants").isHidden());
    await page.check("input[name=tune][value=difftpt-lite]");
    await page.check("input[name=views][value='16']");
    await page.setInputFiles("#files", [{ ...church, name: "Church.jpg" }, { ...others[1], name: "other.jpg" }]);
    await settled(2);
    const pictures = (name) =>
      page.locator(".card", { hasText: name }).locator(".views canvas").evaluateAll((all) => all.map((one) => one.ariaLabel));
    assert.ok((await pictures("Church.jpg")).every((label) => !label.startsWith("Picture")));

    await page.setInputFiles("#variants-files", [
      { ...others[0], name: "church 1.jpg" },
      { ...others[2], name: "church 2.jpg" },
      { ...broken, name: "church 3.png" },
      { ...others[3], name: "elsewhere.jpg" },
    ]);
    await settled(2);
    assert.match(await page.textContent("#variants-state"), /^1 picture goes with no photo here and was left out; 3 in use\.$/);
    const report = page.locator(".card", { hasText: "Church.jpg" }).locator(".tuned");
    assert.match((await report.locator(".tuned-sentence").textContent()).replace(/[\u2068\u2069]/g, ""), /of 19/);
    assert.match(await report.textContent(), /1 picture could not be used: ./);
    assert.match(await page.locator(".card", { hasText: "other.jpg" }).locator(".tuned-sentence").textContent(), /of 16/);
    await looks(page, "variants");
    await page.selectOption("#language", "zh");
    await page.waitForFunction(() => document.documentElement.lang === "zh-Hans");
    assert.deepEqual(await englishLeft(page), []);
    await page.selectOption("#language", "en");
    await page.waitForFunction(() => document.documentElement.lang === "en");

    await page.focus("#variants-clear");
    await page.keyboard.press("Enter");
    await settled(2);
    assert.ok(await page.locator("#variants-state").isHidden());
    assert.match(await report.locator(".tuned-sentence").textContent(), /of 16/);
    await page.check("input[name=tune][value=tpt]");
    await settled(2);
    assert.ok(await page.locator("#variants").isHidden());
  });

  test("on the page the style of the other photos is borrowed where that is wanted", async () => {
    await page.check("input[name=tune][value=difftpt-lite]");
    await page.check("input[name=views][value='64']");
    await settled(2);
    const views = () => page.locator(".card .views canvas").evaluateAll((all) => all.map((one) => one.ariaLabel));
    const plain = await views();
    const borrowed = (all) => all.filter((label) => /in the style of another photo/.test(label));
    assert.deepEqual(borrowed(plain), []);
    await page.click("label:has(#gallery)");
    assert.ok(await page.isChecked("#gallery"));
    await settled(2);
    assert.notDeepEqual(await views(), plain);
    // Whether a borrowed view is among those that are kept is the seed's affair.
    for (let seed = 1; borrowed(await views()).length === 0; seed += 1) {
      assert.ok(seed < 12, "no seed keeps a view in another photo's style");
      await page.fill("#tune-seed", String(seed));
      await page.locator("#tune-seed").blur();
      await settled(2);
    }
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("#save-json")]);
    assert.equal(JSON.parse(await readFile(await download.path(), "utf8")).settings.gallery, true);
    await page.fill("#tune-seed", "0");
    await page.locator("#tune-seed").blur();
    await page.click("label:has(#gallery)");
    await settled(2);
    assert.deepEqual(await views(), plain);
    await page.check("input[name=views][value='16']");
    await settled(2);
  });

  test("on the page they go with the only photo, whatever their names", async () => {
    await page.click("#clear");
    await page.check("input[name=tune][value=difftpt-lite]");
    await page.setInputFiles("#files", { ...church, name: "IMG_1.jpg" });
    await page.waitForFunction(() => document.querySelectorAll(".card[data-state=done]").length === 1);
    await page.setInputFiles("#variants-files", [others[1], others[2]]);
    await page.waitForFunction(() => /of 19/.test(document.querySelector(".tuned-sentence")?.textContent ?? ""));
    assert.equal(await page.textContent("#variants-state"), "2 pictures in use.");
  });
});
