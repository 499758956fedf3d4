// The threshold of the reader's own in Check, and the words that NegLabel compares with.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { DIST, needsShared, openBrowser, openSite, PAGES } from "./harness.mjs";
import { looks } from "./looks.mjs";
import { LABELS, loadPackage, openPlace, photo, photos } from "./support.mjs";

const clean = (text) => text.replace(/[\u2066-\u2069]/g, "").trim();

describe("threshold and other words", { skip: needsShared, timeout: 900_000 }, () => {
  let site;
  let session;
  let page;

  before(async () => {
    site = await openSite({ "": DIST });
    session = await openBrowser({ webgpu: false, reducedMotion: "reduce" });
    page = session.page;
    page.setDefaultTimeout(240_000);
    await page.goto(`${site.url}?device=cpu&labels=${encodeURIComponent(LABELS.join(","))}`);
    await page.waitForSelector("#status:is([data-state=ready], [data-state=failed])");
    const church = await photo("imagenette", "test/church/");
    const flowers = await photos("flowers", "train/sunflowers/", 3);
    await page.setInputFiles("#files", [church, ...flowers]);
    await settled(4);
    await openPlace(page, "check");
  });
  after(async () => {
    await session?.close();
    await site?.close();
  });

  const settled = (count) =>
    page.waitForFunction((n) => document.querySelectorAll(".card[data-state=done]").length === n, count);
  const verdicts = () => page.locator(".card .verdict").evaluateAll((all) => all.map((one) => one.dataset.verdict));

  test("a threshold of one's own judges every photo at once, by keyboard too", async () => {
    assert.deepEqual(await verdicts(), ["none", "none", "none", "none"]);
    assert.match(clean(await page.textContent("#threshold-value")), /^Move it/);
    await page.focus("#threshold-slider");
    await page.keyboard.press("End");
    assert.deepEqual(await verdicts(), ["out", "out", "out", "out"]);
    assert.match(clean(await page.textContent("#threshold-value")), /your own: 4 of 4 below$/);
    await page.keyboard.press("Home");
    assert.deepEqual(await verdicts(), ["in", "in", "in", "in"]);
    // Half way between the lowest two, only the lowest is below.
    const values = await page.locator(".card .gauge").evaluateAll((all) => all.map((one) => Number(one.style.getPropertyValue("--value"))));
    const [first, second] = [...values].sort((a, b) => a - b);
    await page.locator("#threshold-slider").fill(String((first + second) / 2));
    const expected = values.map((value) => (value === first ? "out" : "in"));
    const found = await verdicts();
    const [chosen] = await page.locator("#threshold-slider").evaluateAll((all) => all.map((one) => one.valueAsNumber));
    assert.deepEqual(found, values.map((value) => (value < chosen ? "out" : "in")));
    if (second - first > 1e-3) assert.deepEqual(found, expected);
    await looks(page, "threshold");
    await page.click("#threshold-reset");
    assert.deepEqual(await verdicts(), ["none", "none", "none", "none"]);
    assert.equal(await page.locator("#threshold-reset").isVisible(), false);
  });

  test("other words are shown, struck, added and replaced by a list", async () => {
    assert.equal(await page.locator("#negatives").isVisible(), false);
    await page.selectOption("#score", "neglabel");
    await settled(4);
    assert.match(clean(await page.locator(".card .negatives").first().textContent()), /^Other words nearest to it: .+, .+, .+$/);
    await page.click("#negatives > summary");
    await page.waitForSelector("#negatives-list .chip");
    const count = async () => parseInt((await page.textContent("#negatives-count")).replace(/\D/g, ""), 10);
    const before = await count();
    assert.ok(before > 100, `${before} words`);
    assert.equal(await page.locator("#negatives-list .chip").count(), 200);
    await looks(page, "words");

    const changed = (n) => page.waitForFunction((text) => document.getElementById("negatives-count").textContent.replace(/\D/g, "") === text, String(n));
    const word = clean(await page.locator("#negatives-list .chip-name").first().textContent());
    await page.fill("#negatives-find", word);
    await page.click(`#negatives-list .chip:has(.chip-name:text-is(${JSON.stringify(word)})) .chip-remove`);
    // The mined share may let the next word in, so the number may stay.
    await page.waitForFunction((gone) => ![...document.querySelectorAll("#negatives-list .chip-name")].some((one) => one.textContent === gone), word);
    await settled(4);
    await page.fill("#negatives-find", "");
    const struck = await count();
    await page.fill("#negatives-word", "zeppelin hangar");
    await page.keyboard.press("Enter");
    await changed(struck + 1);
    await page.fill("#negatives-find", "zeppelin hangar");
    assert.deepEqual(await page.locator("#negatives-list .chip-name").allTextContents(), ["zeppelin hangar"]);
    await page.fill("#negatives-find", "");

    const file = { name: "mine.txt", mimeType: "text/plain", buffer: Buffer.from("spoon\nkeyboard\ncathedral\nspoon\n<img src=x>\n") };
    await page.setInputFiles("#negatives-file", file);
    await changed(4);
    await settled(4);
    const hint = clean(await page.locator(".card .negatives").first().textContent());
    for (const shown of hint.replace(/^.*: /, "").split(", ")) assert.ok(["spoon", "keyboard", "cathedral", "<img src=x>"].includes(shown), shown);
    const bad = { name: "bad.json", mimeType: "application/json", buffer: Buffer.from('[1, "two"]') };
    await page.setInputFiles("#negatives-file", bad);
    await page.waitForFunction(() => document.getElementById("negatives-note").textContent.includes("is no list of words"));
    assert.equal(await count(), 4);

    await page.click("#negatives-restore");
    await changed(before);
    await settled(4);
    assert.equal(await page.locator("#negatives-restore").isVisible(), false);
  });

  test("LAPT without a prompt for it says what to do", async () => {
    await page.selectOption("#score", "lapt");
    await page.waitForSelector("#check-problem:not([hidden])");
    assert.match(await page.textContent("#check-problem"), /recipe lapt/);
    await openPlace(page, "look");
    await page.waitForSelector(".card[data-state=failed] .problem:visible");
    assert.match(await page.locator(".card[data-state=failed] .problem").first().textContent(), /recipe lapt/);
  });
});

// LAPT through the package: taught with its own words, cancelled, exported, and answering after a reload.
describe("LAPT", { skip: needsShared, timeout: 900_000 }, () => {
  let site;
  let session;
  let page;

  before(async () => {
    site = await openSite({ "": DIST, test: PAGES });
    session = await openBrowser({ webgpu: false });
    page = session.page;
  });
  after(async () => {
    await session?.close();
    await site?.close();
  });

  test("is taught, cancelled, exported, and answers the same after a reload", async () => {
    const own = await photos("flowers", "train/sunflowers/", 2);
    const other = await photos("textures", "test/banded/", 2);
    const sent = [own, other].map((all) => all.map(({ buffer }) => buffer.toString("base64")));
    await loadPackage(page, site.url, { model: "../models/mini-vit/", device: "cpu" });
    const got = await page.evaluate(
      async ([labels, [own, other]]) => {
        const blob = (base64) => new Blob([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))]);
        const classes = await window.lens.classes(labels);
        const examples = own.map((image) => ({ image: blob(image), label: "sunflowers" }));
        const how = { recipe: "lapt", negatives: ["gravel", "soup", "hat"], others: other.map(blob), epochs: 2, crops: 1, validation: "none" };
        const stop = new AbortController();
        const stopped = await classes
          .train(examples, { ...how, epochs: 500, signal: stop.signal, onProgress: ({ stage }) => stage === "train" && stop.abort() })
          .catch(({ code, name }) => code ?? name);
        const losses = [];
        const prompt = await classes.train(examples, { ...how, onProgress: ({ loss }) => loss !== undefined && losses.push(loss) });
        const taught = await window.lens.classes(labels, { prompt });
        const { ood } = await taught.classify(blob(own[0]), { ood: "lapt" });
        const file = Array.from(new Uint8Array(await prompt.toBlob().arrayBuffer()));
        return { stopped, losses, ood, file };
      },
      [LABELS, sent],
    );
    assert.match(String(got.stopped), /cancelled|AbortError/);
    assert.ok(got.losses.length >= 2 && got.losses.every(Number.isFinite), got.losses.join());
    assert.ok(got.ood.value > 0 && got.ood.value < 1);
    assert.deepEqual([...got.ood.nearestNegatives].sort(), ["gravel", "hat", "soup"]);

    await page.reload();
    await loadPackage(page, site.url, { model: "../models/mini-vit/", device: "cpu" });
    const again = await page.evaluate(
      async ([labels, base64, file]) => {
        const { Prompt } = await import("../pkg/index.js");
        const prompt = await Prompt.from(new Blob([new Uint8Array(file)]));
        const classes = await window.lens.classes(labels, { prompt });
        const blob = new Blob([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))]);
        return (await classes.classify(blob, { ood: "lapt" })).ood;
      },
      [LABELS, sent[0][0], got.file],
    );
    assert.deepEqual(again, got.ood);
  });
});
