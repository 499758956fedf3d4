// Tuning beside the answers and rejection in Check, and its exports, as a person uses them.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, afterEach, before, describe, test } from "node:test";
import { DIST, needsShared, openBrowser, openSite } from "./harness.mjs";
import { looks } from "./looks.mjs";
import { badFiles, englishLeft, LABELS, openPlace, photo, photos } from "./support.mjs";

describe("drawers", { skip: needsShared, timeout: 900_000 }, () => {
  let site;
  let session;
  let page;
  let church;
  let sunflowers;

  before(async () => {
    site = await openSite({ "": DIST });
    session = await openBrowser({ webgpu: false, reducedMotion: "reduce", permissions: ["clipboard-read", "clipboard-write"] });
    page = session.page;
    church = { ...(await photo("imagenette", "test/church/")), name: "church in fog.jpg" };
    sunflowers = await photos("flowers", "train/sunflowers/", 20);
    await page.goto(`${site.url}?device=cpu&labels=${encodeURIComponent(LABELS.join(","))}`);
    await page.waitForSelector("#status:is([data-state=ready], [data-state=failed])");
  });
  after(async () => {
    await session?.close();
    await site?.close();
  });
  afterEach(async () => {
    await openPlace(page, "look");
    if (await page.locator("#clear").isVisible()) await page.click("#clear");
    await page.check("input[name=tune][value=none]", { force: true }).catch(() => {});
  });

  const settled = (count) =>
    page.waitForFunction(
      (n) => document.querySelectorAll(".card:is([data-state=done], [data-state=failed])").length === n && document.querySelectorAll(".card").length === n,
      count,
    );
  const values = (selector) => page.locator(`.card ${selector}`).evaluateAll((all) => all.map((one) => parseFloat(one.textContent) / 100));
  const showTuning = async () => {
    await openPlace(page, "look");
    if (!(await page.locator("#tune").evaluate((details) => details.open))) await page.click("#tune > summary");
  };

  test("tuning is off until it is asked for, shows what it did, and goes again", async () => {
    await page.setInputFiles("#files", church);
    await settled(1);
    assert.equal(await page.textContent("#tune-state"), "off");
    assert.equal(await page.locator(".tuned:visible, .pair, .columns:visible").count(), 0);
    const plain = await values(".bar-value");

    await page.focus("#tune > summary");
    await page.keyboard.press("Enter");
    await page.focus("input[name=tune]:checked");
    await page.keyboard.press("ArrowDown");
    assert.match(await page.textContent("#tune-state"), /^TPT, 64 views$/);
    await page.check("input[name=views][value='16']");
    assert.match(await page.textContent("#tune-state"), /^TPT, 16 views$/);
    await settled(1);

    const sentence = (await page.textContent(".tuned-sentence")).replace(/[\u2068\u2069]/g, "");
    assert.match(sentence, /^The 4 surest of 16 views now agree more: entropy \d\.\d+ → \d\.\d+ nats; the answer (stayed|changed from) [\w ]+\.$/);
    assert.deepEqual(await values(".before .bar-value"), plain);
    assert.equal((await values(".after .bar-value")).length, plain.length);
    const views = page.locator(".views canvas");
    assert.equal(await views.count(), 4);
    for (const view of await views.all()) {
      assert.match(await view.getAttribute("aria-label"), /^(View \d+|The photo itself), entropy \d\.\d\d nats$/);
      const tones = await view.evaluate((canvas) => new Set(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data).size);
      assert.ok(tones > 10, `a view has ${tones} tones`);
    }
    await page.click(".more");
    assert.equal(await page.locator(".pair").count(), LABELS.length);
    await page.click(".more");
    await looks(page, "tune");

    await page.check("input[name=tune][value=none]");
    await settled(1);
    assert.deepEqual(await values(".bar-value"), plain);
    assert.equal(await page.locator(".tuned:visible, .pair").count(), 0);
  });

  test("tuning tells its stages, can be stopped, and goes on", async () => {
    await showTuning();
    await page.check("input[name=tune][value=tpt]");
    await page.evaluate(() => {
      window.stages = new Set();
      new MutationObserver(() => {
        const text = document.querySelector(".card:last-child .waiting")?.textContent;
        if (text) window.stages.add(text.replace(/\d+/g, "N"));
      }).observe(document.getElementById("cards"), { childList: true, subtree: true, characterData: true });
    });
    await page.setInputFiles("#files", [church, { ...sunflowers[0], name: "later.jpg" }]);
    await page.waitForFunction(() => document.querySelector(".stage:not([hidden])"));
    await page.click("#run-button");
    assert.match(await page.textContent("#run-text"), /^Stopped, 2 to go$/);
    assert.deepEqual(await page.locator(".card").evaluateAll((all) => all.map(({ dataset, ariaBusy }) => [dataset.state, ariaBusy])), [
      ["stopped", "false"],
      ["stopped", "false"],
    ]);
    assert.equal(await page.textContent("#run-button"), "Continue");
    await page.click("#run-button");
    await settled(2);
    const stages = await page.evaluate(() => [...window.stages]);
    assert.ok(await page.locator("#run-button").isHidden());
    assert.equal(await page.locator(".tuned-sentence").count(), 2);
    assert.ok(stages.some((stage) => stage === "Looking at view N of N"), stages.join());
  });

  test("numbers that cannot be used change nothing and are explained", async () => {
    await showTuning();
    await page.check("input[name=tune][value=difftpt-lite]");
    const state = await page.textContent("#tune-state");
    await page.fill("#tune-steps", "0");
    await page.locator("#tune-steps").blur();
    assert.match(await page.textContent("#tune-error"), /^Steps: ./);
    assert.equal(await page.getAttribute("#tune-steps", "aria-invalid"), "true");
    assert.equal(await page.textContent("#tune-state"), state);
    await openPlace(page, "check");
    await page.setInputFiles("#calibrate-files", sunflowers.slice(0, 2));
    await page.waitForSelector("#calibrate-error:not([hidden])");
    await openPlace(page, "teach");
    await page.setInputFiles("#teach-import", { name: "bad.safetensors", mimeType: "application/octet-stream", buffer: Buffer.from("none") });
    await page.waitForSelector("#teach-error:not([hidden])");
    await looks(page, "problems");
    await openPlace(page, "look");
    await page.click("#camera");
    await page.waitForSelector("#camera-error:not([hidden])");
    await looks(page, "camera-refused");
    await page.click("#camera-close");
    await page.fill("#tune-steps", "");
    await page.locator("#tune-steps").blur();
    assert.ok(await page.locator("#tune-error").isHidden());
  });

  test("results go out as JSON and CSV with their settings", async () => {
    const [, [, words]] = await badFiles();
    await page.setInputFiles("#files", [church, { name: '=notes,"1".jpg', mimeType: "image/jpeg", buffer: words }]);
    await settled(2);
    const saved = async (button) => {
      const [download] = await Promise.all([page.waitForEvent("download"), page.click(button)]);
      return { name: download.suggestedFilename(), text: await readFile(await download.path(), "utf8") };
    };
    const json = await saved("#save-json");
    assert.equal(json.name, "promptlens.json");
    const { settings, results } = JSON.parse(json.text);
    assert.deepEqual(settings.labels, LABELS);
    assert.deepEqual([settings.template, settings.tune, settings.ood, settings.device], ["a photo of a {}.", "none", "mcm", "cpu"]);
    assert.match(settings.model_sha256, /^[0-9a-f]{64}$/);
    assert.deepEqual(results.map(({ file, error }) => [file, error?.code]), [
      ["church in fog.jpg", undefined],
      ['=notes,"1".jpg', "image/unknown-format"],
    ]);
    const shown = await values(".bar-value");
    results[0].predictions.slice(0, shown.length).forEach(({ probability }, i) => assert.ok(Math.abs(probability - shown[i]) < 0.001));
    assert.equal(results[0].tuning, null);
    assert.deepEqual(Object.keys(results[0].ood), ["score", "value", "threshold", "is_outlier", "nearest_negatives"]);

    const csv = await saved("#save-csv");
    assert.equal(csv.name, "promptlens.csv");
    const [head, first, second, end] = csv.text.split("\r\n");
    assert.equal(end, "");
    const [file, answer, probability] = first.split(",");
    assert.deepEqual([file, answer, Number(probability)], ["church in fog.jpg", results[0].predictions[0].label, results[0].predictions[0].probability]);
    assert.ok(second.startsWith('"\'=notes,""1"".jpg",,'), second);
    assert.ok(second.includes("image/unknown-format"));
    const columns = head.split(",");
    assert.equal(first.split(",").length, columns.length);
    assert.deepEqual(columns.slice(-LABELS.length), LABELS.map((label) => `p(${label})`));

    await page.click("#copy-json");
    await page.waitForFunction(() => document.getElementById("copy-json").textContent === "Copied");
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), json.text);
  });

  test("rejection is calibrated on photos, says its verdict in words, and notices when it does not hold", async () => {
    const stripes = { ...(await photo("textures", "test/banded/")), name: "stripes.jpg" };
    // As somebody who has not been in Check.
    await page.reload();
    await page.waitForSelector("#status[data-state=ready]");
    await page.setInputFiles("#files", [stripes, { ...sunflowers[19], name: "sunflowers.jpg" }]);
    await settled(2);
    assert.equal(await page.locator(".ood:visible").count(), 0);
    await openPlace(page, "check");
    await page.waitForFunction(() => document.querySelectorAll(".card .verdict").length === 2);
    assert.deepEqual(await page.locator(".card .verdict").allTextContents(), Array(2).fill("No verdict: not calibrated"));
    assert.equal(await page.getAttribute("#calibrate-page", "aria-disabled"), "true");
    assert.match(await page.textContent("#histogram figcaption"), /^2 photos score [\d.]+ to [\d.]+\.$/);

    await page.setInputFiles("#calibrate-files", sunflowers.slice(0, 18));
    await page.waitForSelector("#calibrate-error:not([hidden])");
    assert.equal(await page.textContent("#calibrate-error code"), "calibration/too-few");

    await page.setInputFiles("#calibrate-files", sunflowers.slice(0, 19));
    await page.waitForSelector("#calibrate-result:not([hidden])");
    assert.match(await page.textContent("#calibrate-result"), /^Threshold [\d.]+ from 19 photos: .* between \d.* and \d.*%\.$/);
    assert.ok(await page.locator("#calibrate-error").isHidden());
    assert.match(await page.textContent("#reject-state"), /^below [\d.]+$/);
    const verdicts = async () =>
      Object.fromEntries(await page.locator(".card").evaluateAll((all) => all.map((card) => [card.querySelector(".file").textContent, card.querySelector(".verdict").textContent])));
    assert.equal((await verdicts())["stripes.jpg"], "Probably none of these");
    await openPlace(page, "look");
    assert.match(await page.locator(".card", { hasText: "stripes" }).locator(".gauge").getAttribute("aria-label"), /^mcm [\d.]+, below the threshold [\d.]+$/);
    const gauges = await page.locator(".gauge").evaluateAll((all) =>
      all.map((gauge) => {
        const place = (part) => gauge.querySelector(part).getBoundingClientRect().x;
        return { out: gauge.ariaLabel.includes(", below"), left: place(".gauge-value") < place(".gauge-threshold") };
      }),
    );
    for (const { out, left } of gauges) assert.equal(left, out);
    await looks(page, "rejected");
    await openPlace(page, "check");
    await looks(page, "reject");

    // The engine's own verdicts are those that the page drew from the threshold.
    const drawn = await verdicts();
    await page.selectOption("#score", "energy");
    await settled(2);
    assert.match(await page.textContent("#stale"), /score/);
    assert.equal(await page.textContent("#reject-state"), "calibrated for other settings");
    assert.deepEqual(Object.values(await verdicts()), Array(2).fill("No verdict: calibrated for other settings"));
    await page.selectOption("#score", "mcm");
    await settled(2);
    assert.deepEqual(await verdicts(), drawn);

    await openPlace(page, "look");
    await page.locator("#name-input").pressSequentially("lighthouse,");
    await openPlace(page, "check");
    await page.waitForFunction(() => document.querySelector("#stale:not([hidden])"));
    assert.match(await page.textContent("#stale"), /class/);
    await page.selectOption("#language", "zh");
    await page.waitForFunction(() => document.documentElement.lang === "zh-Hans");
    assert.equal(await page.textContent("#stale"), "阈值在此不适用，因为校准之后有变化：类别名称。请重新校准。");
    assert.deepEqual(await englishLeft(page), []);
    await page.selectOption("#language", "en");
    await page.waitForFunction(() => document.documentElement.lang === "en");
    await page.selectOption("#score", "");
    await settled(2);
    assert.equal(await page.locator(".ood:visible").count(), 0);
    assert.equal(await page.textContent("#reject-state"), "off");
  });

  test("calibrating says how far it is, and can be cancelled while each photo is tuned", async () => {
    await showTuning();
    await page.check("input[name=tune][value=tpt]");
    await page.check("input[name=views][value='64']");
    await openPlace(page, "check");
    await page.selectOption("#score", "mcm");
    await page.setInputFiles("#calibrate-files", sunflowers);
    await page.waitForFunction(() => /1\D+20/.test(document.getElementById("calibrate-stage").textContent));
    await looks(page, "calibrating");
    assert.ok(await page.locator("#calibrate-run").isVisible(), "it was calibrated before its pictures were taken");
    await page.click("#calibrate-cancel");
    await page.waitForSelector("#calibrate-run", { state: "hidden" });
    assert.ok(await page.locator("#calibrate-error").isHidden());
  });

  test("calibrating can be cancelled, and takes the photos on the page", async () => {
    await openPlace(page, "check");
    await page.selectOption("#score", "mcm");
    await page.setInputFiles("#files", sunflowers.slice(0, 19).map((file, i) => ({ ...file, name: `${i}.jpg` })));
    await settled(19);
    assert.equal(await page.textContent("#calibrate-page"), "Calibrate with these 19 photos");
    await page.focus("#calibrate-page");
    await page.keyboard.press("Enter");
    await page.waitForSelector("#calibrate-run:not([hidden])");
    assert.equal(await page.evaluate(() => document.activeElement.id), "calibrate-cancel");
    await page.keyboard.press("Enter");
    await page.waitForSelector("#calibrate-run", { state: "hidden" });
    assert.equal(await page.evaluate(() => document.activeElement.id), "calibrate-page");
    assert.ok(await page.locator("#calibrate-error").isHidden());
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.getElementById("reject-state").textContent.startsWith("below"));
    assert.deepEqual(new Set(await page.locator(".card .verdict").allTextContents()), new Set(["Fits your list"]));
    assert.match(await page.textContent("#histogram figcaption"), /^19 photos score .*; 0 below the threshold/);
  });
});
