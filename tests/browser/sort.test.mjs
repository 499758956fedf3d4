// Five hundred photos: sorted into folders, found by words and by a photo, near-duplicates grouped, with a
// reload in the middle of the work.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { DIST, needsShared, openBrowser, openSite, recordRequests } from "./harness.mjs";
import { looks } from "./looks.mjs";
import { asked, changed, countCalls, filesUnder, found, jpeg, large, NAMES, READY, sample, settled, sha256, some, until } from "./pile.mjs";
import { openPlace } from "./support.mjs";

const COUNT = 500;
const START = `?device=cpu&lang=en&labels=${NAMES.join()}`;
const BAD = "no photo.jpg";
/** Names that are hostile, and what they become. */
const HOSTILE = [
  ["../../escape.jpg", "_.._escape.jpg"],
  ["CON.jpg", "_CON.jpg"],
  ["photo\u202egpj.exe.jpg", "photo_gpj.exe.jpg"],
  [`${"long ".repeat(80)}.jpg`, null],
  ["same.jpg", "same.jpg"],
  ["same.jpg", "same (2).jpg"],
  ["SAME.JPG", "SAME (3).JPG"],
];

describe("sort and find", { skip: needsShared, timeout: 3_000_000 }, () => {
  let site;
  let session;
  let page;
  /** The pile as files to choose: the bad one last. */
  let pile;
  /** Names of planted photos. */
  const planted = { cats: [], copies: new Map(), sunflowers: [] };
  /** Path -> SHA-256 of the zip that was saved. */
  let zipped;
  let folder;

  const open = async (search = START) => {
    await page.goto(`${site.url}${search}`);
    await page.waitForSelector(READY);
  };
  const choose = (files = pile) => page.setInputFiles("#files", files);
  const text = (selector) => page.textContent(selector);
  const shown = () => page.waitForSelector("#pile-shown:not([hidden])");
  const idle = (part) => page.waitForSelector(`#${part}-run`, { state: "hidden" });

  /** Path -> SHA-256 of a zip, by unzip and by Python, which share no code with the page. */
  const readZip = (path) => {
    const { status, stdout } = spawnSync("unzip", ["-tqq", path], { encoding: "utf8" });
    assert.equal(status, 0, stdout);
    const script = "import hashlib, json, sys, zipfile\nz = zipfile.ZipFile(sys.argv[1])\nprint(json.dumps([[n, hashlib.sha256(z.read(n)).hexdigest()] for n in z.namelist()]))";
    const read = spawnSync("python3", ["-c", script, path], { encoding: "utf8", maxBuffer: 1 << 26 });
    assert.equal(read.status, 0, read.stderr);
    const members = JSON.parse(read.stdout);
    assert.equal(new Set(members.map(([name]) => name.toLowerCase())).size, members.length, "two members have one name");
    return Object.fromEntries(members);
  };
  const saveZip = async () => {
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("#sorted-zip")]);
    assert.equal(download.suggestedFilename(), "promptlens-sorted.zip");
    const path = join(folder, "saved.zip");
    await download.saveAs(path);
    await idle("sorted");
    return readZip(path);
  };

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "promptlens-sort-"));
    site = await openSite({ "": DIST });
    session = await openBrowser({ webgpu: false, locale: "en-US", reducedMotion: "reduce" });
    page = session.page;
    await page.goto(`${site.url}about.html`);
    const [cat, cup] = await Promise.all(["cat", "cup"].map(sample));
    for (const [i, how] of [{ quality: 0.6 }, { crop: 0.92 }, { light: 1.15 }].entries()) {
      planted.cats.push(`cat ${i}.jpg`);
      planted[`cat ${i}.jpg`] = jpeg(`cat ${i}.jpg`, await changed(page, cat, how));
    }
    const classes = await some("imagenette", ["church", "parachute", "golf ball", "French horn", "chain saw", "garbage truck"], 70);
    const others = await some("textures", ["banded", "bubbly", "cracked"], 15);
    const sunflowers = (await some("flowers", ["sunflowers"], 3)).map((photo, i) => ({ ...photo, name: `planted ${i}.jpg` }));
    planted.sunflowers = sunflowers.map(({ name }) => name);
    const hostile = classes.splice(0, HOSTILE.length).map((photo, i) => ({ ...photo, name: HOSTILE[i][0] }));
    const copies = [];
    const originals = await large(page, 12);
    for (const [i, original] of originals.entries()) {
      const how = [{ quality: 0.75 }, { light: 1.1 }, { crop: 0.97 }][i % 3];
      const copy = jpeg(`copy ${i}.jpg`, await changed(page, original.buffer, how));
      planted.copies.set(copy.name, original.name);
      copies.push(copy);
    }
    const rest = [...hostile, ...classes, ...others, ...originals, ...sunflowers, ...planted.cats.map((name) => planted[name]), jpeg("cup.jpg", cup), ...copies];
    const more = await some("imagenette", ["gas pump"], COUNT - 1 - rest.length);
    pile = [...rest, ...more, jpeg(BAD, Buffer.from("no photo"))];
    assert.equal(pile.length, COUNT);
    assert.equal(new Set(pile.map(({ buffer }) => sha256(buffer))).size, COUNT, "two files are the same");
    await countCalls(page);
  });
  after(async () => {
    await session?.close();
    await site?.close();
    await rm(folder, { recursive: true, force: true });
  });

  test("a reload in the middle of the answers goes on where they were", async () => {
    await open();
    assert.ok(await page.locator("#pile").isHidden());
    // The none-of-these verdict needs a threshold.
    await openPlace(page, "check");
    await page.setInputFiles("#calibrate-files", await some("imagenette", NAMES, 12));
    await page.waitForSelector("#calibrate-result:not([hidden])");
    await openPlace(page, "look");
    await choose();
    await until(async () => (await asked(page, "classify")) >= 150);
    const before = await asked(page, "classify");
    assert.ok(before < COUNT - 50, `${before} photos were answered already`);
    assert.match(await text("#sorted-hint"), /^Waits for the answers: \d+ of 500\.$/);
    assert.ok(await page.locator("#sorted-zip").isDisabled());
    await page.reload();
    await page.waitForSelector(READY);
    await choose();
    await settled(page, COUNT);
    const again = await asked(page, "classify");
    // The one in hand and the one before may not have been kept, and the bad file is asked for twice at most.
    assert.ok(again <= COUNT - before + 3, `${before} and then ${again} photos were answered`);
    assert.ok(again >= COUNT - before - 3);
  });

  test("photos go into a zip by their answers, byte for byte, under safe names", async () => {
    const [exported] = await Promise.all([page.waitForEvent("download"), page.click("#save-json")]);
    const { results } = JSON.parse(await readFile(await exported.path(), "utf8"));
    await page.fill("#sorted-share", "90");
    const counts = await page.locator("#sorted-list li").evaluateAll((all) => Object.fromEntries(all.map((row) => [row.querySelector("bdi").textContent, Number(row.querySelector("span").textContent)])));
    zipped = await saveZip();

    const expected = new Map();
    results.forEach(({ file, predictions, ood, error }, i) => {
      assert.equal(file, pile[i].name);
      if (error) return assert.equal(file, BAD);
      const [best] = predictions;
      expected.set(sha256(pile[i].buffer), ood.is_outlier ? "none of these" : best.probability < 0.9 ? "unsure" : best.label);
    });
    const placed = new Map(Object.entries(zipped).map(([path, hash]) => [hash, path]));
    assert.equal(placed.size, COUNT - 1);
    const sums = {};
    for (const [hash, place] of expected) {
      const path = placed.get(hash);
      assert.equal(path?.split("/")[0], place, path);
      assert.equal(path.split("/").length, 2, path);
      sums[place] = (sums[place] ?? 0) + 1;
    }
    assert.deepEqual(counts, sums);
    for (const place of ["unsure", "none of these", "church"]) assert.ok(sums[place] >= 3, JSON.stringify(sums));

    const names = Object.keys(zipped).map((path) => path.split("/")[1]);
    HOSTILE.forEach(([name, wanted], i) => {
      const path = placed.get(sha256(pile[i].buffer));
      // Names are made different in each folder, and these photos need not be in one.
      if (wanted) assert.ok([wanted, name].includes(path.split("/")[1]) || /same/i.test(name), path);
      assert.ok(Buffer.byteLength(path.split("/")[1]) <= 130, path);
    });
    assert.ok(names.every((name) => !/[\u0000-\u001f\u202a-\u202e\u2066-\u2069\\:]|^\.|^CON\b/.test(name)), names.join("\n"));
    assert.match(await text("#sorted-note"), /^499 photos saved in \d+ folders\. 1 photo was left out\.$/);
    await page.click("#sorted-problems summary");
    assert.match(await text("#sorted-failed"), new RegExp(`^${BAD} .*image`));
    await looks(page, "pile-saved", { fullPage: false, include: "#pile", top: "#pile" });
  });

  test("words find planted photos, and a reload in the middle computes no feature twice", async () => {
    const requests = recordRequests(session.browser);
    await page.fill("#find-words", "a cup of coffee");
    await page.keyboard.press("Enter");
    await until(async () => (await asked(page, "embedImage")) >= 150);
    const before = await asked(page, "embedImage");
    assert.ok(before < COUNT - 50, `${before} features were computed already`);
    assert.equal(await page.evaluate(() => document.activeElement.id), "find-cancel");
    await page.keyboard.press("Enter");
    await idle("find");
    assert.equal(await page.evaluate(() => document.activeElement.id), "find-words");
    assert.ok(await page.locator("#pile-shown").isHidden());
    assert.deepEqual(requests.filter((url) => !url.startsWith("blob:")), []);

    await page.reload();
    await page.waitForSelector(READY);
    await choose();
    await settled(page, COUNT);
    assert.ok((await asked(page, "classify")) <= 2, "kept answers were computed again");
    requests.length = 0;
    await page.fill("#find-words", "a cup of coffee");
    await page.click("#find-form button");
    await shown();
    const again = await asked(page, "embedImage");
    assert.ok(again <= COUNT - before + 3 && again >= COUNT - before - 3, `${before} and then ${again} features were computed`);
    assert.ok((await found(page)).slice(0, 5).some(({ name }) => name === "cup.jpg"), JSON.stringify((await found(page)).slice(0, 5)));

    await page.fill("#find-words", "sunflowers");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.getElementById("pile-shown-title").textContent.includes("sunflowers"));
    const tiles = await found(page);
    for (const name of planted.sunflowers) assert.ok(tiles.slice(0, 5).some((tile) => tile.name === name), JSON.stringify(tiles.slice(0, 8)));
    const marks = tiles.map(({ mark }) => Number(mark.replace("\u2212", "-")));
    assert.deepEqual(marks, [...marks].sort((a, b) => b - a));
    assert.ok(marks.every((mark) => mark <= 1 && mark >= -1), marks.join());
    assert.equal(await page.evaluate(() => document.activeElement.id), "pile-shown-title");
    assert.equal(await page.getAttribute("#pile-grid .tile", "aria-setsize"), "24");
    assert.equal(await asked(page, "embedImage"), again, "features were computed for another search");
    assert.deepEqual(requests.filter((url) => !url.startsWith("blob:")), []);
  });

  test("a photo finds those like it, chosen or of the pile", async () => {
    await page.setInputFiles("#find-example", join(DIST, "samples/cat.jpg"));
    await page.waitForFunction(() => document.getElementById("pile-shown-title").textContent.includes("cat.jpg"));
    const five = (await found(page)).slice(0, 5).map(({ name }) => name);
    for (const name of planted.cats) assert.ok(five.includes(name), five.join());

    await page.locator("#pile-grid .tile[aria-posinset='1'] button").click();
    await page.waitForSelector("#details[open] .card");
    assert.equal(await text("#details .file"), five[0]);
    await page.click("#details-alike");
    await page.waitForFunction((name) => document.getElementById("pile-shown-title").textContent.includes(name), five[0]);
    const others = (await found(page)).map(({ name }) => name);
    assert.ok(!others.includes(five[0]));
    for (const name of planted.cats.filter((name) => name !== five[0])) assert.ok(others.slice(0, 5).includes(name), others.slice(0, 5).join());
    await page.selectOption("#find-most", "12");
    assert.equal(await page.getAttribute("#pile-grid .tile", "aria-setsize"), "12");
    await looks(page, "pile-found", { fullPage: false, include: "#pile", top: "#pile" });

    await page.setInputFiles("#find-example", jpeg("broken.jpg", Buffer.from("no photo")));
    await page.waitForSelector("#find-error:not([hidden])");
    assert.match(await text("#find-error code"), /^image\//);
  });

  test("near-duplicates are grouped, and different photos are not", async () => {
    // Only tiles in sight exist.
    await page.setViewportSize({ width: 1280, height: 4000 });
    await page.click("#alike-start");
    await page.waitForSelector("#alike-note:not([hidden])");
    const groups = new Map();
    for (const tile of await found(page)) groups.set(tile.label, [...(groups.get(tile.label) ?? []), tile]);
    const members = [...groups.values()].map((tiles) => tiles.map(({ name }) => name));
    const pairs = members.map(([first, ...others]) => others.map((other) => [other, first])).flat();
    const cats = new Set(planted.cats);
    for (const [copy, original] of pairs) assert.ok(planted.copies.get(copy) === original || (cats.has(copy) && cats.has(original)), `${copy} and ${original} are no copies`);
    for (const [copy, original] of planted.copies) assert.ok(pairs.some((pair) => pair[0] === copy && pair[1] === original), `${copy} is not with ${original}`);
    assert.match(await text("#alike-note"), new RegExp(`^${groups.size} groups, photos besides the first of each: ${pairs.length}\\.$`));
    await looks(page, "pile-groups", { fullPage: false, include: "#pile", top: "#pile" });

    await page.check("#sorted-first");
    const saved = await saveZip();
    const later = new Set(pairs.map(([copy]) => sha256(pile.find(({ name }) => name === copy).buffer)));
    assert.equal(Object.keys(saved).length, COUNT - 1 - later.size);
    assert.ok(Object.values(saved).every((hash) => !later.has(hash)));
    assert.match(await text("#sorted-note"), new RegExp(` ${later.size} near-duplicates were not saved\\.`));
    await page.uncheck("#sorted-first");
  });

  test("copying into a folder can be stopped and goes on, and changes nothing that is there", async () => {
    await page.fill("#sorted-share", "90");
    const mine = Object.keys(zipped).find((path) => path.startsWith("church/") && !/same/i.test(path));
    await page.evaluate(async (path) => {
      const root = await (await navigator.storage.getDirectory()).getDirectoryHandle("picked", { create: true });
      const [place, name] = path.split("/");
      const handle = await (await root.getDirectoryHandle(place, { create: true })).getFileHandle(name, { create: true });
      const writable = await handle.createWritable();
      await writable.write("mine");
      await writable.close();
      window.showDirectoryPicker = async () => root;
      // The fortieth file waits until the test lets it go on.
      const { createWritable } = FileSystemFileHandle.prototype;
      let count = 0;
      window.held = new Promise((resolve) => {
        FileSystemFileHandle.prototype.createWritable = async function (...how) {
          count += 1;
          if (count === 40) {
            await new Promise((release) => {
              window.release = release;
              resolve();
            });
          }
          if (count === 60) throw new DOMException("full", "QuotaExceededError");
          return createWritable.apply(this, how);
        };
      });
    }, mine);
    await page.click("#sorted-folder");
    await page.evaluate(() => window.held);
    assert.match(await text("#sorted-stage"), /^39 of 499 photos saved$/);
    await page.click("#sorted-cancel");
    await page.evaluate(() => window.release());
    await idle("sorted");
    const partly = await filesUnder(page, "picked");
    assert.equal(Object.keys(partly).length, 39 + 1, "an unfinished file is left");

    await page.click("#sorted-folder");
    await page.waitForSelector("#sorted-note:not([hidden])");
    assert.match(await text("#sorted-note"), /^498 photos saved in \d+ folders\. 39 were there already\. 2 photos were left out\.$/);
    assert.match(await text("#sorted-failed"), /There is no room for it\./);
    await page.click("#sorted-folder");
    await page.waitForFunction(() => /^499 photos saved in \d+ folders\. 498 were there already\. 1 photo was left out\.$/.test(document.getElementById("sorted-note").textContent));
    const copied = await filesUnder(page, "picked");
    const [place, name] = mine.split("/");
    assert.equal(copied[mine], sha256("mine"));
    const besides = `${place}/${name.replace(/\.jpg$/, " (2).jpg")}`;
    assert.deepEqual({ ...copied, [mine]: copied[besides], [besides]: undefined }, { ...zipped, [besides]: undefined });
    await page.evaluate(async () => (await navigator.storage.getDirectory()).removeEntry("picked", { recursive: true }));
  });

  test("a file that is gone, and photos without an answer, stop no other", async () => {
    const path = join(folder, "soon gone.jpg");
    await writeFile(path, await sample("rocket"));
    await page.click("#clear");
    assert.ok(await page.locator("#pile").isHidden());
    await choose([path, ...["church", "cup"].map((name) => join(DIST, `samples/${name}.jpg`))]);
    await settled(page, 3);
    await rm(path);
    assert.deepEqual(Object.keys(await saveZip()).map((name) => name.split("/")[1]).sort(), ["church.jpg", "cup.jpg"]);
    assert.match(await text("#sorted-failed"), /^soon gone\.jpg The file cannot be read any more/);

    // The work is stopped as soon as it begins.
    await page.evaluate(() => {
      const button = document.getElementById("run-button");
      const watch = new MutationObserver(() => {
        if (button.hidden) return;
        watch.disconnect();
        button.click();
      });
      watch.observe(button, { attributes: true });
    });
    await choose(await some("imagenette", ["church"], 40));
    await page.waitForFunction(() => document.getElementById("run-text").textContent.startsWith("Stopped"));
    assert.equal(Object.keys(await saveZip()).length + (await page.locator("#sorted-failed li").count()), 43);
    const problems = await page.locator("#sorted-failed li").allTextContents();
    assert.ok(problems.filter((said) => /^church \d+\.jpg It has no answer yet\.$/.test(said)).length > 30, problems.join("\n"));
    await page.click("#clear");
    await choose(["church", "cup"].map((name) => join(DIST, `samples/${name}.jpg`)));
    await settled(page, 2);

    await page.evaluate(() => (window.showDirectoryPicker = () => Promise.reject(new DOMException("no", "AbortError"))));
    await page.click("#sorted-folder");
    assert.ok(await page.locator("#sorted-error").isHidden());
  });

  test("a browser without folders offers the zip alone", async () => {
    await page.addInitScript(() => delete window.showDirectoryPicker);
    await open();
    await choose(["church", "cup"].map((name) => join(DIST, `samples/${name}.jpg`)));
    await settled(page, 2);
    assert.ok(await page.locator("#sorted-zip").isVisible());
    assert.ok(await page.locator("#sorted-folder").isHidden());
    // A small pile is not kept, but the large one still is.
    assert.equal(await asked(page, "classify"), 2);
    assert.ok(await page.locator("#pile-kept").isVisible());
  });

  test("what is kept has a limit, and is forgotten at once", async () => {
    const size = () => page.evaluate(async () => {
      const { openPhotoStore } = await import("./ui/photo_store.js");
      return (await openPhotoStore()).usage();
    });
    const { count, bytes } = await size();
    assert.ok(count >= 2 * (COUNT - 1) && bytes > 500_000 && bytes < 20_000_000, `${count} records, ${bytes} bytes`);
    await page.click("#kept-forget");
    await page.waitForSelector("#pile-kept", { state: "hidden" });
    assert.equal((await size()).count, 0);
    const kept = await page.evaluate(async () => {
      const { openPhotoStore } = await import("./ui/photo_store.js");
      const store = await openPhotoStore(1000);
      for (let i = 0; i < 20; i += 1) await store.write(`key ${i % 15}`, new Uint8Array([i]), 100);
      const there = [];
      for (let i = 0; i < 15; i += 1) there.push((await store.read(`key ${i}`))?.[0] ?? null);
      const usage = await store.usage();
      await store.clear();
      return { there, usage };
    });
    // The last five overwrote the first five, which makes them the newest.
    assert.ok(kept.usage.bytes <= 1000 && kept.usage.bytes === 100 * kept.usage.count, JSON.stringify(kept));
    assert.deepEqual(kept.there.slice(0, 5), [15, 16, 17, 18, 19]);
    assert.equal(kept.there.filter((value) => value !== null).length, kept.usage.count);
    await choose((await some("imagenette", ["church"], 30)));
    await settled(page, 32);
    assert.equal(await asked(page, "classify"), 32);
  });
});
