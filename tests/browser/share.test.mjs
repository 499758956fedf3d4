// A classifier as a file: saved on one page, opened on another one, by the widget, by the package and inside a
// page that the app exports, each with the same answers; and files from anywhere, which change nothing.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { cli, DIST, openBrowser, openSite, PAGES } from "./harness.mjs";
import { bench } from "./kept.mjs";
import { looks } from "./looks.mjs";
import { chooseRecipe, comparePredictions, englishLeft } from "./support.mjs";
import { parseClassifier, writeClassifier } from "../../pkg/classifier_file.js";

const TAUGHT = { church: "church", parachute: "parachute", sunflowers: "sunflower" };
const TEMPLATE = "a drawing of a {}.";
const ROCKET = join(DIST, "samples/rocket.jpg");
/** What numbers in two browsers may differ by. */
const SAME = 1e-6;
/** What numbers of a browser and of the command line may differ by. */
const NATIVE = 0.01;
const REPLACED = { name: "taught.promptlens", mimeType: "" };

describe("a classifier file", { timeout: 1_500_000 }, () => {
  let site;
  let folder;
  let sender;
  let receiver;
  /** The page that saves. @type {ReturnType<typeof bench>} */
  let one;
  /** The page of another profile. @type {ReturnType<typeof bench>} */
  let two;
  let photo;
  /** The file, and the answer for the photo where it was saved. */
  let file;
  let expected;
  const complaints = [];

  before(async () => {
    site = await openSite({ "": DIST, test: PAGES });
    folder = await mkdtemp(join(tmpdir(), "promptlens-share-"));
    photo = await readFile(ROCKET);
    const options = { webgpu: false, reducedMotion: "reduce", locale: "en-US", acceptDownloads: true };
    [sender, receiver] = await Promise.all([openBrowser(options), openBrowser(options)]);
    one = bench(sender.page, site.url);
    two = bench(receiver.page, site.url);
    for (const { page } of [sender, receiver]) {
      page.on("pageerror", (error) => complaints.push(error.message));
    }
  });
  after(async () => {
    await sender?.close();
    await receiver?.close();
    await site?.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** What a button saves. */
  async function saved(page, button) {
    const begun = page.waitForEvent("download");
    await page.click(button);
    const download = await begun;
    const path = join(folder, download.suggestedFilename());
    await download.saveAs(path);
    return { name: download.suggestedFilename(), path, bytes: await readFile(path) };
  }
  /** The newest photo's full answer, as the page's own export has it. */
  const answered = async ({ page }) => JSON.parse((await saved(page, "#save-json")).bytes).results.at(-1);
  const notice = async (page) => (await page.textContent("#shared-text")).replace(/[\u2068\u2069]/g, "");
  const choose = (page, bytes, name = REPLACED.name) => page.setInputFiles("#share-file", { ...REPLACED, name, buffer: Buffer.from(bytes) });
  const says = (page, sentence) =>
    page.waitForFunction((pattern) => new RegExp(pattern).test(document.getElementById("shared-text").textContent.replace(/[\u2068\u2069]/g, "")), sentence);
  const shows = (tab) => tab.page.evaluate(() => [document.getElementById("template").value, document.getElementById("score").value, document.getElementById("teach-state").textContent]);
  /** What the page stands at, as far as a file could change it. */
  const standing = async (tab) => JSON.stringify([await tab.names(), await shows(tab), await tab.page.textContent("#tune-state"), await tab.page.textContent("#status-detail"), await tab.kept()]);
  /** The settings of the saved file, changed. */
  const changed = (change) => {
    const settings = JSON.parse(file.bytes);
    change(settings);
    return JSON.stringify(settings);
  };

  test("saves names, sentence, prompt and threshold, and no photo", async () => {
    const { page } = one;
    await one.open();
    await one.type(Object.keys(TAUGHT));
    await page.fill("#template", TEMPLATE);
    await one.place("teach");
    for (const [name, sample] of Object.entries(TAUGHT)) {
      await page.selectOption("#teach-class", name);
      await page.setInputFiles("#teach-files", join(DIST, `samples/${sample}.jpg`));
    }
    await page.waitForFunction(() => document.querySelectorAll("#teach-classes [data-taught]").length === 3);
    await chooseRecipe(page, "taskres");
    await page.selectOption("#teach-check", "none");
    await page.fill("#teach-epochs", "20");
    await page.click("#teach-start");
    await page.waitForSelector("#teach-result:not([hidden])");
    await page.click("#teach-use");
    await one.learned(/taskres/);
    await one.place("check");
    await page.selectOption("#score", "energy");
    await one.place("look");
    await page.setInputFiles("#files", ROCKET);
    await page.waitForSelector(".card[data-state=done]");
    await one.place("check");
    await page.waitForSelector("#threshold:not([hidden])");
    await page.focus("#threshold-slider");
    await page.keyboard.press("End");
    await one.place("look");
    expected = await answered(one);
    assert.equal(typeof expected.ood.threshold, "number");
    file = await saved(page, "#share-save");
    assert.equal(file.name, "church-parachute-sunflowers.promptlens");
    assert.ok(file.bytes.length < 100_000, `${file.bytes.length} bytes`);

    const settings = JSON.parse(file.bytes);
    assert.deepEqual([settings.format, settings.version], ["promptlens-classifier", 1]);
    assert.deepEqual(settings.labels, Object.keys(TAUGHT));
    assert.deepEqual(settings.templates, [TEMPLATE]);
    assert.equal(settings.rejection.score, "energy");
    assert.equal(settings.rejection.threshold.value, expected.ood.threshold);
    assert.match(settings.model.sha256, /^[0-9a-f]{64}$/);
    assert.equal(settings.model.address, `${site.url}models/mini/`);
    assert.match(settings.createdBy, /^promptlens /);
    const prompt = Buffer.from(settings.prompt, "base64");
    assert.ok(prompt.includes("promptlens-prompt"));
    // Neither as they are nor in base64, which has three forms of a text by where it begins.
    for (const bytes of [photo, await readFile(join(DIST, "samples/church.jpg"))]) {
      for (let at = 0; at + 64 < bytes.length; at += 997) {
        const part = bytes.subarray(at, at + 64);
        assert.ok(!file.bytes.includes(part) && !prompt.includes(part));
        for (const shift of [0, 1, 2]) assert.ok(!file.bytes.includes(part.subarray(shift, shift + 48).toString("base64")));
      }
    }
    // Teach's own button saves the same, also while the prompt does not answer.
    await one.place("teach");
    const again = JSON.parse((await saved(page, "#teach-share")).bytes);
    await one.place("look");
    assert.deepEqual(again, settings);
  });

  test("opens in another profile with the same answers, and can be undone", async () => {
    const { page } = two;
    await two.open();
    await page.setInputFiles("#files", ROCKET);
    await page.waitForSelector(".card[data-state=done]");
    const before = [await two.names(), await shows(two)];
    await choose(page, file.bytes);
    await says(page, "taught.promptlens is open: 3 names");
    assert.deepEqual(await two.names(), Object.keys(TAUGHT));
    assert.deepEqual((await shows(two)).slice(0, 2), [TEMPLATE, "energy"]);
    await two.learned(/taskres/);
    await page.waitForSelector(".card[data-state=done]");
    const found = await answered(two);
    comparePredictions(assert, found.predictions, expected.predictions, SAME);
    assert.ok(Math.abs(found.ood.value - expected.ood.value) < SAME);
    assert.equal(found.ood.threshold, expected.ood.threshold);
    assert.equal(found.ood.is_outlier, expected.ood.is_outlier);
    await looks(page, "share-opened");

    // It is kept for the next visit, as all work is.
    await two.promptKept(true);
    await two.reload();
    await two.learned(/taskres/);
    assert.deepEqual(await two.names(), Object.keys(TAUGHT));

    await choose(page, changed((settings) => Object.assign(settings, { labels: ["a", "b"], templates: ["{}"], prompt: null })));
    await says(page, "2 names");
    assert.deepEqual(await two.names(), ["a", "b"]);
    await page.click("#shared-yes");
    await says(page, "as it was before");
    assert.deepEqual(await two.names(), Object.keys(TAUGHT));
    assert.equal((await shows(two))[0], TEMPLATE);
    await two.learned(/taskres/);

    await two.clear();
    await two.open();
    assert.deepEqual([await two.names(), await shows(two)], before);
    await choose(page, file.bytes);
    await says(page, "is open");
    await page.focus("#shared-yes");
    await page.keyboard.press("Enter");
    await says(page, "as it was before");
    assert.deepEqual([await two.names(), await shows(two)], before);
    assert.equal((await two.kept()).prompt, null);
  });

  test("a drop among photos opens it, and so does the installed app", async () => {
    const { page } = two;
    await two.clear();
    await two.open();
    await page.evaluate(
      async ([text, sample]) => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([text], "dropped.PromptLens"));
        transfer.items.add(new File([await (await fetch(sample)).blob()], "rocket.jpg", { type: "image/jpeg" }));
        document.body.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: transfer }));
      },
      [file.bytes.toString(), "samples/rocket.jpg"],
    );
    await says(page, "dropped.PromptLens is open: 3 names");
    await page.waitForSelector(".card[data-state=done]");
    assert.equal(await page.locator(".card").count(), 1);
    comparePredictions(assert, (await answered(two)).predictions, expected.predictions, SAME);

    const manifest = JSON.parse(await readFile(join(DIST, "manifest.webmanifest")));
    assert.ok(manifest.file_handlers.some(({ accept }) => Object.values(accept).flat().includes(".promptlens")));
    // What the browser calls when such a file starts the app.
    const launched = await receiver.browser.newPage();
    await launched.addInitScript((text) => {
      Object.defineProperty(window, "launchQueue", {
        value: { setConsumer: (consumer) => setTimeout(() => consumer({ files: [{ getFile: async () => new File([text], "launched.promptlens") }] })) },
      });
    }, file.bytes.toString());
    await launched.goto(`${site.url}?device=cpu&lang=en&labels=x,y`);
    await says(launched, "launched.promptlens is open: 3 names");
    await launched.close();
  });

  test("a file of another model is asked about, and its prompt never meets this one", async () => {
    const { page } = two;
    await two.clear();
    await two.open();
    const elsewhere = (settings) => Object.assign(settings.model, { address: "https://models.example/big/", name: "big", sha256: "1".repeat(64) });
    const before = await standing(two);
    const asked = [];
    page.on("request", (request) => asked.push(request.url()));
    await choose(page, changed((settings) => Object.assign(settings, { prompt: null, model: elsewhere(settings) })));
    await says(page, "made with another model, big. Load it from https://models.example/big/");
    await looks(page, "share-asks");
    assert.deepEqual(asked.filter((url) => url.includes("models.example")), []);
    await page.click("#shared-close");
    assert.ok(await page.locator("#shared").isHidden());
    assert.equal(await standing(two), before);
    // The model that is here will do for names alone; what was fitted on the other one is left out.
    await choose(page, changed((settings) => Object.assign(settings, { prompt: null, model: elsewhere(settings) })));
    await says(page, "made with another model");
    await page.click("#shared-other");
    await says(page, "3 names");
    assert.deepEqual(await two.names(), Object.keys(TAUGHT));
    assert.equal((await two.kept()).threshold, null);
    await page.click("#shared-yes");
    await says(page, "as it was before");
    // A model of this site is loaded without a question, and undone.
    const other = "ffdde8d94391109d5dc2af81a059bd5e133b6447d76ce609a87c57eba4a6d4a2";
    await choose(page, changed((settings) => Object.assign(settings, { prompt: null, model: { ...settings.model, address: "https://elsewhere.example/", quantization: null, sha256: other } })));
    await says(page, "3 names");
    assert.match(await page.textContent("#models-state"), /mini-vit/);
    await page.click("#shared-yes");
    await says(page, "as it was before");
    assert.doesNotMatch(await page.textContent("#models-state"), /mini-vit/);
    assert.deepEqual(asked.filter((url) => url.includes("example/")), []);
  });

  test("hostile files end in an error with a code and change nothing", async () => {
    const { page } = two;
    await two.clear();
    await two.open(`?device=cpu&lang=en&labels=dog,ship`);
    const before = await standing(two);
    const cut = (share) => file.bytes.subarray(0, Math.floor(file.bytes.length * share));
    const many = (count) => Array.from({ length: count }, (_, i) => `n${i}`);
    const files = [
      ["empty", "", "prompt/invalid"],
      ["one byte short", file.bytes.subarray(0, file.bytes.length - 2), "prompt/invalid"],
      ...[0.01, 0.3, 0.7, 0.99].map((share) => [`cut to ${share}`, cut(share), "prompt/invalid"]),
      ["a photo", photo, "prompt/invalid"],
      ["an array", "[]", "prompt/invalid"],
      ["version 2", changed((s) => (s.version = 2)), "prompt/invalid"],
      ["another format", changed((s) => (s.format = "x")), "prompt/invalid"],
      ["too large", Buffer.alloc(16 * 1024 * 1024 + 1, 32), "prompt/invalid"],
      ["no names", changed((s) => (s.labels = [])), "labels/empty"],
      ["numbers as names", changed((s) => (s.labels = [1, 2])), "prompt/invalid"],
      ["names twice", changed((s) => Object.assign(s, { labels: ["a", "a"], prompt: null })), "labels/duplicate"],
      ["too many names", changed((s) => (s.labels = many(10_001))), "labels/too-long"],
      ["too long a name", changed((s) => (s.labels = ["x".repeat(1001)])), "labels/too-long"],
      ["no {}", changed((s) => (s.templates = ["a photo"])), "prompt/invalid-template"],
      ["too many sentences", changed((s) => (s.templates = Array(1001).fill("{}"))), "prompt/invalid-template"],
      ["a prompt in no base64", changed((s) => (s.prompt = "<script>")), "prompt/invalid"],
      ["half a prompt", changed((s) => (s.prompt = s.prompt.slice(0, 2000))), "prompt/invalid"],
      ["the prompt of another model", changed((s) => (s.model.sha256 = "0".repeat(64))), "prompt/wrong-model"],
      ["an unknown score", changed((s) => (s.rejection.score = "x")), "options/invalid"],
      ["a threshold of words", changed((s) => (s.rejection.threshold.value = "1")), "options/invalid"],
      ["a calibration of nothing", changed((s) => (s.rejection.calibration = { file: "{}", score: "mcm", threshold: 1, n: 20, interval: { low: 0, high: 1 } })), "calibration/invalid"],
      ["too many words", changed((s) => (s.rejection.negatives.own = many(50_001))), "negatives/invalid"],
      ["words of nothing", changed((s) => (s.rejection.negatives.struck = {})), "prompt/invalid"],
      ["a billion views", changed((s) => (s.tuning = { tune: "tpt", views: 1e9 })), "options/invalid"],
      ["a part that is none", changed((s) => (s.rejection = [])), "prompt/invalid"],
      ["an address that is none", changed((s) => (s.model.address = 5)), "prompt/invalid"],
    ];
    for (const [what, bytes, code] of files) {
      await choose(page, bytes, "bad.promptlens");
      await page.waitForFunction((wanted) => document.getElementById("shared-code").textContent === wanted, code).catch(async (error) => {
        throw new Error(`${what}: ${await notice(page)} ${await page.textContent("#shared-code")}`, { cause: error });
      });
      await page.click("#shared-close");
    }
    assert.equal(await standing(two), before);
    // Names that want to be more than names are shown as they are.
    await page.evaluate(() => delete window.hit);
    const names = ["<img src=x onerror=window.hit=1>", "\u202egnp.exe", "{name} $& &amp;"];
    await choose(page, changed((s) => Object.assign(s, { labels: names, prompt: null, templates: ["<b>{}</b>", "\u202e{}", "one {} more"] })), "<i>\u202ex.promptlens");
    await says(page, "is open: 3 names");
    assert.deepEqual(await two.names(), names);
    assert.equal(await page.inputValue("#template"), "<b>{}</b>");
    assert.match(await page.textContent("#template-more"), /^2 more sentences/);
    assert.equal(await page.evaluate(() => window.hit), undefined);
    assert.equal(await page.locator("#shared i, #chips img").count(), 0);
    assert.ok((await page.textContent("#shared-text")).includes("\u2068<i>\u202ex.promptlens\u2069"));
    await two.reload();
    await page.waitForSelector("#template-more:not([hidden])");
    assert.deepEqual(await two.names(), names);
    // Unknown keys are of a later version, and are passed over.
    await choose(page, changed((s) => Object.assign(s, { later: { much: 1 }, model: { ...s.model, more: [] } })), "later.promptlens");
    await says(page, "later.promptlens is open: 3 names");
    assert.deepEqual(await two.names(), Object.keys(TAUGHT));
    assert.deepEqual(complaints, []);
  });

  test("a file cut at any length, and any changed byte, is refused or is sound", () => {
    const read = (bytes) => {
      try {
        return parseClassifier(bytes);
      } catch (error) {
        assert.match(error.code ?? `${error}`, /^(prompt|labels|options|calibration|negatives)\//);
        return null;
      }
    };
    assert.ok(read(file.bytes));
    for (let length = 0; length < file.bytes.length - 2; length += length < 2000 ? 1 : 97) assert.equal(read(file.bytes.subarray(0, length)), null, `${length} bytes`);
    for (let at = 0; at < 3000; at += 7) {
      const bytes = Uint8Array.from(file.bytes);
      bytes[at % bytes.length] ^= 1 + (at % 255);
      read(bytes);
    }
  });

  test("the package opens it, and writes one that is the same", async () => {
    await writeFile(join(site.folder, "taught.promptlens"), file.bytes);
    const relative = changed((settings) => Object.assign(settings.model, { address: "../models/mini/" }));
    await writeFile(join(site.folder, "test/relative.promptlens"), relative);
    const wrong = changed((settings) => Object.assign(settings, { prompt: null, model: { ...settings.model, sha256: "2".repeat(64) } }));
    const { page } = two;
    await page.goto(`${site.url}test/package.html`);
    const found = await page.evaluate(
      async ([entry, sample, relative, wrong, model]) => {
        const { PromptLens, readClassifier, writeClassifier } = await import(entry);
        const photo = await (await fetch(sample)).blob();
        const failing = (work) => work.then(() => "no error", ({ code }) => code);
        const options = { device: "cpu" };
        const classifier = await PromptLens.open("relative.promptlens", options);
        const answer = await classifier.classify(photo);
        const copy = await readClassifier(await writeClassifier(classifier.settings));
        const written = await readClassifier(await classifier.classes.toClassifier({ rejection: classifier.settings.rejection }));
        classifier.free();
        const another = await PromptLens.open(new Blob([wrong]), { ...options, model, anyModel: true });
        const plain = await another.classify(photo);
        another.free();
        return {
          answer,
          plain,
          labels: [classifier.classes.labels, written.labels],
          copied: JSON.stringify(copy) === JSON.stringify(classifier.settings),
          templates: written.templates,
          model: written.model,
          threshold: written.rejection.threshold,
          recipe: written.prompt.recipe,
          codes: await Promise.all([
            failing(PromptLens.open(new Blob([wrong]), { ...options, model })),
            failing(PromptLens.open(new Blob([relative]), options)),
            failing(PromptLens.open("missing.promptlens", options)),
            failing(PromptLens.open(5)),
            failing(PromptLens.open("data:,x")),
            failing(PromptLens.open(new Blob([wrong.replace(/"address":"[^"]*"/, '"address":"file:///etc/"')]), options)),
            failing(PromptLens.open(sample, options)),
          ]),
        };
      },
      [`${site.url}pkg/index.js`, `${site.url}samples/rocket.jpg`, relative, wrong, `${site.url}models/mini/`],
    );
    comparePredictions(assert, found.answer.predictions, expected.predictions, SAME);
    assert.equal(found.answer.ood.threshold, expected.ood.threshold);
    assert.equal(found.answer.ood.isOutlier, expected.ood.is_outlier);
    assert.equal(found.plain.ood.threshold, null);
    assert.deepEqual(found.labels, [Object.keys(TAUGHT), Object.keys(TAUGHT)]);
    assert.ok(found.copied);
    assert.deepEqual([found.templates, found.recipe, found.threshold.value], [[TEMPLATE], "taskres", expected.ood.threshold]);
    assert.equal(found.model.address, `${site.url}models/mini/`);
    assert.deepEqual(found.codes, ["prompt/wrong-model", "options/invalid", "network/failed", "options/invalid", "options/invalid", "prompt/invalid", "prompt/invalid"]);
    await assert.rejects(writeClassifier({ labels: [] }), { code: "labels/empty" });
  });

  test("a calibrated threshold, edited negative labels and tuning come along", async () => {
    const { page } = two;
    await page.goto(`${site.url}test/package.html`);
    const found = await page.evaluate(
      async ([entry, samples, model]) => {
        const { PromptLens } = await import(entry);
        const [rocket, cup] = await Promise.all(samples.map(async (sample) => (await fetch(sample)).blob()));
        const lens = await PromptLens.load({ model, device: "cpu" });
        const classes = await lens.classes(["cat", "cup", "dog"], { templates: ["a photo of a {}.", "{}"] });
        const { labels } = await classes.mineNegatives();
        const negatives = { struck: labels.slice(0, 3), added: ["zebra"] };
        await classes.mineNegatives(negatives);
        const tuning = { tune: "tpt", views: 2, seed: 3 };
        const how = { ood: "neglabel", ...tuning };
        const calibration = await classes.calibrate(Array(19).fill(cup), how);
        const before = await Promise.all([rocket, cup].map((photo) => classes.classify(photo, how)));
        const file = await classes.toClassifier({ rejection: { score: "neglabel", calibration, negatives }, tuning });
        lens.free();
        const opened = await PromptLens.open(file, { device: "cpu" });
        const after = await Promise.all([rocket, cup].map((photo) => opened.classify(photo)));
        opened.free();
        return { before, after, threshold: calibration.threshold };
      },
      [`${site.url}pkg/index.js`, ["rocket", "cup"].map((name) => `${site.url}samples/${name}.jpg`), `${site.url}models/mini/`],
    );
    for (const [i, before] of found.before.entries()) {
      const after = found.after[i];
      comparePredictions(assert, after.predictions, before.predictions, SAME);
      assert.ok(Math.abs(after.ood.value - before.ood.value) < SAME);
      assert.deepEqual([after.ood.threshold, after.ood.isOutlier, after.ood.stale ?? null], [found.threshold, before.ood.isOutlier, null]);
      assert.equal(after.tuning.views, 2);
    }
  });

  test("the command line opens it, and says what is in it", async () => {
    const document = await cli("classify", "--classifier", file.path, "--model", join(DIST, "models/mini"), ROCKET);
    const [{ predictions, ood }] = document.results;
    comparePredictions(assert, predictions, expected.predictions, NATIVE);
    assert.ok(Math.abs(ood.value - expected.ood.value) < NATIVE);
    assert.deepEqual([ood.threshold, ood.is_outlier], [expected.ood.threshold, expected.ood.is_outlier]);
    const inspected = await cli("inspect", file.path);
    assert.deepEqual([inspected.kind, inspected.class_names, inspected.recipe, inspected.threshold], ["classifier", Object.keys(TAUGHT), "taskres", expected.ood.threshold]);
    // Values that may be left out may be `null`, for both readers alike.
    const absent = changed((settings) => Object.assign(settings, { prompt: null, temperature: null, rejection: null, tuning: { tune: null, views: null, steps: null, seed: null, rho: null, augmix: null }, model: { address: null, quantization: null, sha256: null } }));
    const nulls = join(folder, "nulls.promptlens");
    await writeFile(nulls, absent);
    const read = parseClassifier(Buffer.from(absent));
    assert.deepEqual([read.temperature, read.tuning, read.rejection.score], [1, { tune: "none" }, "mcm"]);
    assert.deepEqual((await cli("inspect", nulls)).class_names, Object.keys(TAUGHT));
    // Half of a character is refused by both.
    const half = changed((settings) => Object.assign(settings, { labels: ["\ud800", "b"], prompt: null }));
    await writeFile(nulls, half);
    assert.throws(() => parseClassifier(Buffer.from(half)), { code: "prompt/invalid" });
    assert.equal((await cli("inspect", nulls)).error.code, "prompt/invalid");
  });

  test("the widget opens it by src, twice on a page, and follows the attribute", async () => {
    const { page } = two;
    await writeFile(join(site.folder, "second.promptlens"), changed((settings) => Object.assign(settings, { labels: ["rocket", "cat"], templates: ["a photo of a {}."], prompt: null, rejection: { score: null } })));
    const policy = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; connect-src 'self'; img-src 'self' blob:; style-src 'self'";
    await writeFile(
      join(site.folder, "widgets.html"),
      `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${policy}"><title>Two</title><script type="module" src="pkg/element.js"></script></head>
      <body><prompt-lens id="a" src="taught.promptlens" device="cpu"></prompt-lens><prompt-lens id="b" src="second.promptlens" device="cpu"></prompt-lens></body></html>`,
    );
    const errors = [];
    page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
    await page.goto(`${site.url}widgets.html`);
    const found = await page.evaluate(async (sample) => {
      await customElements.whenDefined("prompt-lens");
      const [a, b] = ["a", "b"].map((id) => document.getElementById(id));
      const photo = await (await fetch(sample)).blob();
      const [first, second] = await Promise.all([a.classify(photo), b.classify(photo)]);
      const other = new Promise((resolve) => a.addEventListener("result", ({ detail }) => resolve(detail), { once: true }));
      a.src = "second.promptlens";
      const changed = await other;
      const failed = new Promise((resolve) => a.addEventListener("error", ({ detail }) => resolve(detail.code), { once: true }));
      a.setAttribute("src", "none.promptlens");
      const code = await failed;
      return { first, second, changed, code, shown: a.shadowRoot.querySelector("[part=error]").textContent, reflected: b.src };
    }, "samples/rocket.jpg");
    comparePredictions(assert, found.first.predictions, expected.predictions, SAME);
    assert.equal(found.first.ood.isOutlier, expected.ood.is_outlier);
    assert.deepEqual(found.second.predictions.map(({ label }) => label).sort(), ["cat", "rocket"]);
    assert.equal(found.second.ood, null);
    comparePredictions(assert, found.changed.predictions, found.second.predictions, SAME);
    assert.equal(found.code, "network/failed");
    assert.match(found.shown, /none\.promptlens answered 404.*network\/failed/);
    assert.equal(found.reflected, "second.promptlens");
    assert.deepEqual(errors.filter((text) => !text.includes("404")), []);
  });

  const forget = (page) =>
    page.evaluate(async (entry) => {
      const { PromptLens } = await import(entry);
      for (const { id } of await PromptLens.models.stored()) await PromptLens.models.delete(id);
    }, `${site.url}pkg/index.js`);

  test("the exported page answers alike from a bare host, with the model as it is kept or as it is served", async () => {
    const { page } = one;
    assert.ok((await exported(page, "kept")).some((url) => url.endsWith("/model/manifest.json")));
    await forget(page);
    assert.ok((await exported(page, "served")).some((url) => url.endsWith("/model/model.safetensors")));
  });

  /** Exports a page, opens it on another host, and returns what it asked for. */
  async function exported(page, name) {
    const zip = await saved(page, "#share-page");
    await says(page, "Saved church-parachute-sunflowers.zip");
    await page.click("#shared-close");
    const { status, stderr } = spawnSync("unzip", ["-q", zip.path, "-d", join(folder, name)], { encoding: "utf8" });
    assert.equal(status, 0, stderr);
    const root = join(folder, name, "church-parachute-sunflowers");
    const html = await readFile(join(root, "index.html"), "utf8");
    assert.match(html, /Content-Security-Policy/);
    assert.doesNotMatch(html, /unsafe-inline|unsafe-eval'(?<!wasm-unsafe-eval')| style=|<script>/);
    for (const bytes of [zip.bytes]) for (let at = 0; at + 64 < photo.length; at += 997) assert.ok(!bytes.includes(photo.subarray(at, at + 64)));
    const bare = await openSite({ "": root }, { base: "/deep/inside" });
    const visitor = await openBrowser({ webgpu: false, reducedMotion: "reduce", locale: "en-US" });
    try {
      const asked = [];
      const errors = [];
      visitor.browser.on("request", (request) => asked.push(request.url()));
      visitor.page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
      await visitor.page.goto(bare.url);
      await visitor.page.setInputFiles("prompt-lens input[type=file]", ROCKET);
      await visitor.page.waitForSelector("prompt-lens li");
      const result = await visitor.page.evaluate(() => JSON.parse(JSON.stringify(document.querySelector("prompt-lens").result)));
      comparePredictions(assert, result.predictions, expected.predictions, SAME);
      assert.equal(result.ood.isOutlier, expected.ood.is_outlier);
      assert.deepEqual(errors, []);
      assert.deepEqual(asked.filter((url) => !url.startsWith(bare.url) && !url.startsWith("blob:")), []);
      await looks(visitor.page, "share-exported");
      return asked;
    } finally {
      await visitor.close();
      await bare.close();
    }
  }

  test("everything is said in Chinese too", async () => {
    const { page } = two;
    await two.clear();
    await two.open("?device=cpu&lang=zh&labels=狗,船");
    await choose(page, file.bytes.subarray(0, 100), "坏.promptlens");
    await says(page, "分类器文件已损坏");
    await choose(page, file.bytes, "好.promptlens");
    await says(page, "已打开 好.promptlens：3 个名称");
    await page.click("#samples button");
    await page.waitForSelector(".card[data-state=done]");
    assert.deepEqual((await englishLeft(page, "#teach-paper, .recipe-paper, #chips, .card, #template, bdi")).filter((text) => !/^promptlens/.test(text)), []);
  });
});
