// Hostile class names and file names in every place that shows them or lets them out: Teach, Check, the camera, the
// widget, a pile saved in folders, classifier files and exported pages.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { cells, harm, NAMES } from "./harm.mjs";
import { DIST, openBrowser, openSite, recordRequests } from "./harness.mjs";
import { bench } from "./kept.mjs";
import { settled } from "./pile.mjs";
import { tarOf } from "./tar.mjs";
import { nameOf, parseClassifier } from "../../pkg/classifier_file.js";
import { tidy } from "../../www/ui/tidy.js";
import { chooseRecipe } from "./support.mjs";

/** A class for each sample, and the folder that its photos are saved in. */
const CLASSES = [
  ["cat", "..", "no name"],
  ["church", "/", "_"],
  // The same as the one before, once it is a folder.
  ["cup", "_", "_ (2)"],
  ["golf-ball", "CON", "_CON"],
  ["parachute", "\u202egnp.\u2066exe", "_gnp._exe"],
  ["rocket", `${"long ".repeat(60)}`.trim(), `${"long ".repeat(24)}`.trim()],
  ["sunflower", '</title></script><script>window.hit=7</script>"\'. .', '__title___script__script_window.hit=7__script__\'']
];
const LABELS = CLASSES.map(([, label]) => label);
/** What the photo of a class is called. */
const fileOf = (index) => `<img src=x onerror=window.hit=8>\u202e${index}.jpg`;

/** A camera that shows one of the samples. Runs in the page before all else. */
function fakeCamera(address) {
  navigator.mediaDevices.getUserMedia = async () => {
    const canvas = Object.assign(document.createElement("canvas"), { width: 320, height: 240 });
    const picture = await createImageBitmap(await (await fetch(address)).blob());
    const draw = () => canvas.getContext("2d").drawImage(picture, 0, 0, 320, 240);
    draw();
    setInterval(draw, 50);
    return canvas.captureStream(20);
  };
}

test("a classifier file is called by its names, as every file system takes it", () => {
  const names = ["..", "/", "CON", "con", "COM1", "lpt¹", "\u202egnp", "x".repeat(300), "a. .", "\ud800", "", "<b>", "𝒙".repeat(100), "-", "nul\u0000"].map((label) => nameOf([label]));
  for (const name of names) {
    assert.match(name, /^[\p{L}\p{N}-]+\.promptlens$/u);
    assert.doesNotMatch(name, /^(con|prn|aux|nul|com[\d¹²³]|lpt[\d¹²³])\./i);
    assert.ok(Buffer.byteLength(name) < 200, name);
  }
  assert.equal(nameOf(["con"]), "classifier-con.promptlens");
  assert.equal(nameOf(["CON", "cat"]), "CON-cat.promptlens");
});

test("halves of characters become U+FFFD as a name is typed", () => {
  assert.equal(tidy("a\ud83d"), "a\ufffd");
  assert.equal(tidy("\ude80🚀"), "\ufffd🚀");
});

describe("hostile names in places", { timeout: 1_500_000 }, () => {
  let site;
  let folder;
  let session;
  let page;
  let tab;
  let samples;
  const trouble = [];

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "promptlens-hostile-"));
    site = await openSite({ "": DIST });
    session = await openBrowser({ webgpu: false, reducedMotion: "reduce", locale: "en-US", acceptDownloads: true });
    page = session.page;
    page.on("pageerror", (error) => trouble.push(String(error)));
    page.on("dialog", (dialog) => trouble.push(dialog.message()));
    await page.addInitScript(fakeCamera, `${site.url}samples/rocket.jpg`);
    samples = await Promise.all(
      CLASSES.map(async ([sample], index) => ({ name: fileOf(index), mimeType: "image/jpeg", buffer: await readFile(join(DIST, `samples/${sample}.jpg`)) })),
    );
    tab = bench(page, site.url);
    await tab.open(`?device=cpu&lang=en&labels=${encodeURIComponent(JSON.stringify(LABELS))}`);
  });
  after(async () => {
    await session?.close();
    await site?.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** In the page as it stands, nothing but text was made of names. */
  const harmless = async (tested = page) => {
    assert.deepEqual(await tested.evaluate(harm), []);
    assert.deepEqual(trouble, []);
  };
  const saved = async (button) => {
    const [download] = await Promise.all([page.waitForEvent("download"), page.click(button)]);
    const path = join(folder, `${Date.now()}`);
    await download.saveAs(path);
    return { name: download.suggestedFilename(), path, bytes: await readFile(path) };
  };

  test("Teach: columns, lists and the report", async () => {
    await tab.place("teach");
    assert.deepEqual(await page.locator("#teach-classes .class-name").allTextContents(), LABELS);
    assert.deepEqual(await page.locator("#teach-class option").evaluateAll((all) => all.map(({ value }) => value).slice(0, -1)), LABELS);
    for (const [i, photo] of samples.entries()) await page.locator("#teach-classes .class input[type=file]").nth(i).setInputFiles(photo);
    await page.waitForFunction((count) => document.querySelectorAll("#teach-classes [data-taught]").length === count, LABELS.length);
    await tab.place("look");
    await page.setInputFiles("#files", samples);
    await settled(page, samples.length);
    await tab.place("teach");
    await chooseRecipe(page, "tip-adapter");
    await page.selectOption("#teach-check", "none");
    await page.click("#teach-start");
    await page.waitForSelector("#teach-result:not([hidden])");
    await harmless();
    await page.click("#teach-use");
    await tab.learned(/tip-adapter/);
    await settled(page, samples.length);
    await harmless();
  });

  test("a pile in folders: each class has its own, whose name leads nowhere", async () => {
    await tab.place("look");
    await page.fill("#sorted-share", "0");
    await page.locator("#sorted-share").blur();
    await page.waitForSelector("#sorted-zip:not([disabled])");
    await harmless();
    const zip = await saved("#sorted-zip");
    assert.equal(zip.name, "promptlens-sorted.zip");
    const script = "import json, sys, zipfile\nprint(json.dumps(zipfile.ZipFile(sys.argv[1]).namelist()))";
    const { stdout, stderr } = spawnSync("python3", ["-c", script, zip.path], { encoding: "utf8" });
    assert.equal(stderr, "");
    const members = JSON.parse(stdout).map((path) => path.split("/"));
    for (const path of members) {
      assert.equal(path.length, 2, `${path}`);
      for (const part of path) {
        assert.doesNotMatch(part, /[\p{Cc}\p{Cf}<>:"\\|?*]|^\.|[. ]$/u, part);
        assert.ok(Buffer.byteLength(part) <= 120, part);
      }
    }
    assert.deepEqual([...new Set(members.map(([place]) => place))].sort(), CLASSES.map(([, , place]) => place).sort());
    await harmless();
  });

  test("the camera's live answer and verdict", async () => {
    await page.click("#camera");
    await page.waitForSelector("#camera-live:not([disabled])");
    await page.click("#camera-live");
    try {
      await page.waitForFunction((labels) => labels.includes(document.querySelector("#live .bar .bar-label")?.textContent.trim()), LABELS);
      await page.waitForFunction(() => document.querySelector("#live [role=status]").textContent !== "");
      await harmless();
    } finally {
      await page.click("#camera-close");
    }
  });

  test("Check: folders of labelled photos, the matrix and its CSV", async () => {
    await tab.place("check");
    const inside = {};
    const astray = "<img src=x onerror=window.hit=9>\u202eastray";
    for (const [i, label] of LABELS.entries()) {
      // The others are no names of folders.
      if (["_", "CON", LABELS[4]].includes(label)) inside[`pile/${label}/${i}.jpg`] = samples[i].buffer;
    }
    inside[`pile/${astray}/x.jpg`] = samples[0].buffer;
    inside["pile/CON/\u202egpj.exe.jpg"] = Buffer.from("no photo");
    await page.setInputFiles("#honest-files", { name: "labelled.tar", mimeType: "application/x-tar", buffer: tarOf(inside) });
    await page.waitForSelector("#honest-result:not([hidden])");
    // The engine reads names of folders without marks.
    assert.ok((await page.textContent("#honest-left")).includes("<img src=x onerror=window.hit=9>astray"), await page.textContent("#honest-left"));
    assert.deepEqual((await page.locator("#honest-matrix thead tr:last-child th").allTextContents()).slice(1), LABELS);
    await harmless();
    const csv = await saved("#honest-save");
    assert.equal(csv.name, "confusion-matrix.csv");
    const rows = cells(csv.bytes.toString());
    assert.deepEqual(rows[0].slice(1), LABELS);
    for (const cell of rows.flat()) assert.doesNotMatch(cell, /^[=+\-@\t\r\n]/);
  });

  test("a classifier file, opened again", async () => {
    await tab.place("look");
    const file = await saved("#share-save");
    assert.match(file.name, /^[\p{L}\p{N}-]+\.promptlens$/u);
    assert.deepEqual(parseClassifier(file.bytes).labels, LABELS);
    await page.setInputFiles("#share-file", { name: "\u202ex<img src=x onerror=window.hit=10>.promptlens", mimeType: "", buffer: file.bytes });
    await page.waitForFunction(() => /is open/.test(document.getElementById("shared-text").textContent));
    assert.deepEqual(await tab.names(), LABELS);
    await settled(page, samples.length);
    await harmless();
  });

  test("an exported page, whose camera answers live, without a network too", async () => {
    await page.check("#share-live");
    // The title has the first names: the one with a script must be among them.
    const names = [LABELS[6], LABELS[4], ...LABELS.slice(0, 2)];
    const settings = JSON.parse((await saved("#share-save")).bytes);
    await page.setInputFiles("#share-file", { name: "x.promptlens", mimeType: "", buffer: Buffer.from(JSON.stringify({ ...settings, labels: names, prompt: null })) });
    await page.waitForFunction(() => /is open: 4 names/.test(document.getElementById("shared-text").textContent.replace(/[\u2068\u2069]/g, "")));
    const zip = await saved("#share-page");
    assert.match(zip.name, /^[\p{L}\p{N}-]+\.zip$/u);
    const root = join(folder, "exported");
    const { status, stderr } = spawnSync("unzip", ["-q", zip.path, "-d", root], { encoding: "utf8" });
    assert.equal(status, 0, stderr);
    const inside = join(root, zip.name.replace(/\.zip$/, ""));
    const html = await readFile(join(inside, "index.html"), "utf8");
    assert.match(html, /<prompt-lens src="classifier\.promptlens" live><\/prompt-lens>/);
    assert.equal(html.match(/<script/g).length, 1);
    const bare = await openSite({ "": inside, "rocket.jpg": join(DIST, "samples/rocket.jpg") });
    const visitor = await openBrowser({ webgpu: false, locale: "en-US" });
    try {
      visitor.page.on("pageerror", (error) => trouble.push(String(error)));
      await visitor.page.addInitScript(fakeCamera, `${bare.url}rocket.jpg`);
      // The picture of the camera is there before the network goes.
      await visitor.page.addInitScript(() => {
        window.answers = [];
        document.addEventListener("answer", ({ detail }) => window.answers.push(detail.predictions[0].label));
        document.addEventListener("ready", () => (window.loaded = true));
      });
      await visitor.page.goto(bare.url);
      assert.equal(await visitor.page.title(), `${names[0]}, \u2068${names[1]}\u2069\u2069, ${names.slice(2).join(", ")}`);
      await visitor.page.waitForFunction(() => window.loaded);
      await visitor.page.locator("prompt-lens button", { hasText: "Use the camera" }).click();
      await visitor.page.waitForFunction(() => window.answers.length > 0);
      await visitor.browser.setOffline(true);
      const requests = recordRequests(visitor.browser);
      const before = await visitor.page.evaluate(() => window.answers.length);
      await visitor.page.waitForFunction((count) => window.answers.length > count + 2, before);
      assert.deepEqual(requests.filter((url) => !url.startsWith("blob:")), []);
      assert.ok(names.includes(await visitor.page.evaluate(() => window.answers.at(-1))));
      await harmless(visitor.page);
    } finally {
      await visitor.close();
      await bare.close();
    }
  });

  test("the widget: names and sentence in its attributes", async () => {
    await writeFile(join(site.folder, "widget.html"), '<!doctype html><html lang="en"><meta charset="utf-8"><title>Widget</title><script type="module" src="pkg/element.js"></script><body></body></html>');
    await page.goto(`${site.url}widget.html`);
    await page.evaluate(
      ([names, template]) => {
        const widget = document.createElement("prompt-lens");
        widget.setAttribute("device", "cpu");
        widget.setAttribute("heatmap", "");
        widget.setAttribute("labels", JSON.stringify(names));
        widget.setAttribute("template", template);
        widget.addEventListener("error", ({ detail }) => (window.failed = detail.code));
        document.body.append(widget);
      },
      [NAMES, "<b onclick=alert(1)>\u202e{}</b>"],
    );
    await page.setInputFiles("prompt-lens input[type=file]", samples[0]);
    await page.waitForSelector("prompt-lens li");
    assert.deepEqual(await page.evaluate(() => document.querySelector("prompt-lens").result.predictions.map(({ label }) => label).sort()), [...NAMES].sort());
    await harmless();
    // What the engine refuses is told, in text.
    for (const [labels, code] of [[["x".repeat(10_000)], "labels/too-long"], [["\u202ea", "\u202ea"], "labels/duplicate"], [[""], "labels/empty"]]) {
      await page.evaluate((names) => {
        window.failed = null;
        document.querySelector("prompt-lens").labels = names;
      }, labels);
      await page.waitForFunction((wanted) => window.failed === wanted, code);
      await harmless();
    }
    // Halves of characters are the same in the list and in the answer.
    const halves = await page.evaluate(async () => {
      const lens = await document.querySelector("prompt-lens").ready;
      const classes = await lens.classes(["a\ud800", "b\udfff"]);
      const { predictions } = await classes.classify(await (await fetch("samples/cat.jpg")).blob());
      return [classes.labels, predictions.map(({ label }) => label).sort()];
    });
    assert.deepEqual(halves, [["a\ufffd", "b\ufffd"], ["a\ufffd", "b\ufffd"]]);
  });

  test("names that the engine refuses are told as text, and halves of characters are shown", async () => {
    await tab.clear();
    await tab.open(`?device=cpu&lang=en&labels=${encodeURIComponent('["\\ud800x","y\\udfff"]')}`);
    assert.deepEqual(await tab.names(), ["\ufffdx", "y\ufffd"]);
    await page.setInputFiles("#files", samples[0]);
    await settled(page, 1);
    const csv = cells((await saved("#save-csv")).bytes.toString());
    assert.deepEqual(csv[0].slice(-2), ["p(\ufffdx)", "p(y\ufffd)"]);
    for (const value of csv[1].slice(-2)) assert.ok(Number(value) > 0, value);
    await page.fill("#name-input", "z".repeat(10_000));
    await page.press("#name-input", "Enter");
    await page.waitForSelector("#names-error:not([hidden])");
    assert.equal(await page.textContent("#names-error code"), "labels/too-long");
    await harmless();
    await tab.type(["<img src=x onerror=window.hit=11>"]);
    await page.click("#names-mode");
    await page.fill("#names-area", "<b>one</b>\n<b>ONE</b>\n\u202e<b>one</b>");
    await page.waitForFunction(() => document.querySelector("#names-error code").textContent === "labels/duplicate");
    await harmless();
  });
});
