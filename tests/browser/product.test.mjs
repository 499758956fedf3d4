// The page as people meet it: by keyboard alone, with hundreds of photos, by link, by every source.
import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { DIST, openBrowser, openSite, OUT, recordRequests } from "./harness.mjs";
import { looks } from "./looks.mjs";
import { openPlace } from "./support.mjs";
import { assertResponsive, watchTasks } from "./tasks.mjs";

const READY = "#status[data-state=ready]";
const LABELS = ["church", "parachute", "sunflowers", "ship"];
const sample = (name) => join(DIST, `samples/${name}.jpg`);

describe("product", { timeout: 900_000 }, () => {
  let site;
  let session;
  let page;

  const visit = async (query = `?device=cpu&labels=${LABELS.join()}`) => {
    await page.goto(`${site.url}${query}`);
    await page.waitForSelector(READY);
  };
  const done = (count) => page.waitForFunction((n) => document.querySelectorAll(".card[data-state=done]").length === n, count);

  before(async () => {
    site = await openSite({ "": DIST });
    session = await openBrowser({
      webgpu: false,
      locale: "en-US",
      reducedMotion: "reduce",
      permissions: ["clipboard-read", "clipboard-write", "camera"],
      args: ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"],
    });
    page = session.page;
  });
  after(async () => {
    await session?.close();
    await site?.close();
  });

  test("the shell is painted before any engine is there, and nothing moves when results come", async () => {
    await page.addInitScript(() => {
      window.shifts = [];
      new PerformanceObserver((entries) => {
        for (const entry of entries.getEntries()) {
          if (!entry.hadRecentInput) window.shifts.push([entry.value, entry.sources.map(({ node }) => node?.id || node?.className || node?.nodeName)]);
        }
      }).observe({ type: "layout-shift", buffered: true });
    });
    // The engine's bytes are held back until the shell is seen.
    let release;
    const seen = new Promise((resolve) => (release = resolve));
    let asked = 0;
    await page.route("**/*.wasm", async (route) => {
      asked += 1;
      await seen;
      await route.continue();
    });
    await page.goto(`${site.url}?device=cpu&labels=${LABELS.join()}`);
    await page.waitForFunction(() => performance.getEntriesByName("first-contentful-paint").length > 0);
    await page.waitForFunction((n) => document.querySelectorAll("#chips .chip-name").length === n, LABELS.length);
    assert.ok(await page.locator("label[for=files]").isVisible());
    assert.equal(await page.getAttribute("#status", "data-state"), "loading");
    const own = await page.evaluate(() => performance.getEntriesByType("resource").map(({ name }) => name).filter((name) => name.endsWith(".wasm")));
    assert.deepEqual(own, [], "the page itself loads the engine");
    release();
    await page.waitForSelector(READY);
    assert.equal(asked, 1);
    await page.unroute("**/*.wasm");

    await page.evaluate(() => {
      window.shifts.length = 0;
    });
    await page.setInputFiles("#files", [sample("rocket"), sample("church")]);
    await done(2);
    await page.waitForTimeout(600);
    await watchTasks(page);
    await page.locator("#template").fill("a picture of a {}.");
    await page.waitForFunction(() => document.querySelectorAll(".card[data-state=waiting]").length > 0);
    await done(2);
    await page.waitForTimeout(300);
    assert.deepEqual(await page.evaluate(() => window.shifts), []);
    await assertResponsive(page, "two photos, another sentence");
  });

  for (const width of [360, 1280]) {
    for (const [what, more, open] of [
      ["plain", "", false],
      ["tuned", "&tune=tpt&views=16", false],
      ["scored", "&ood=mcm", true],
      ["scored by words", "&ood=neglabel", true],
    ]) {
      test(`a card keeps its height when its answer comes: ${what}, ${width} px`, async () => {
        await page.setViewportSize({ width, height: 900 });
        const weights = new Promise((release) => page.route("**/*.safetensors", (route) => release(route)));
        await page.goto(`${site.url}?device=cpu&labels=${[...LABELS, "dog", "cat", "horse"].join()}${more}`);
        if (open) {
          await openPlace(page, "check");
          await openPlace(page, "look");
        }
        await page.setInputFiles("#files", [sample("rocket"), sample("church")]);
        await page.waitForSelector(".card img");
        const heights = () => page.locator(".card").evaluateAll((all) => all.map((card) => Math.round(card.getBoundingClientRect().height)));
        const waiting = await heights();
        await (await weights).continue();
        await done(2);
        await page.unroute("**/*.safetensors");
        assert.deepEqual(await heights(), waiting);
        // The heading is at hand, wherever the photos were chosen.
        const top = await page.evaluate(() => document.querySelector(".results h2").getBoundingClientRect().top);
        assert.ok(top >= -1 && top < 900, `the results begin at ${top}`);
      });
    }
  }

  test("the whole way by keyboard alone", async () => {
    await visit("?device=cpu&labels=cat");
    const focused = () => page.evaluate(() => document.activeElement.id || document.activeElement.dataset.sample || document.activeElement.className);
    const tabTo = async (wanted) => {
      for (let i = 0; i < 80; i += 1) {
        if ((await focused()).split(" ").includes(wanted)) return;
        await page.keyboard.press("Tab");
      }
      assert.fail(`Tab never reaches ${wanted}`);
    };
    await tabTo("name-input");
    await page.keyboard.type("ship");
    await page.keyboard.press("Enter");
    await page.keyboard.type("sunflowers");
    await page.keyboard.press("Enter");
    assert.deepEqual(await page.locator(".chip-name").allTextContents(), ["cat", "ship", "sunflowers"]);
    // From the top again, as after loading.
    await page.evaluate(() => document.activeElement.blur());
    // Told early: a key may be quicker than the browser is told to hand its chooser over.
    const chooser = page.waitForEvent("filechooser");
    await tabTo("files");
    await page.keyboard.press("Enter");
    await chooser;
    await tabTo("rocket");
    await page.keyboard.press("Enter");
    await done(1);
    await tabTo("where");
    await page.keyboard.press("Enter");
    await page.waitForSelector(".heat-map:not([hidden])");
    await tabTo("heat-label");
    await page.keyboard.press("ArrowDown");
    await tabTo("save-json").catch(async () => {
      await page.evaluate(() => document.activeElement.blur());
      await tabTo("save-json");
    });
    const [download] = await Promise.all([page.waitForEvent("download"), page.keyboard.press("Enter")]);
    const { settings, results } = JSON.parse(await readFile(await download.path(), "utf8"));
    assert.deepEqual(settings.labels, ["cat", "ship", "sunflowers"]);
    assert.equal(results.length, 1);
    await tabTo("remove");
    await page.keyboard.press("Enter");
    assert.equal(await page.locator(".card").count(), 0);
    assert.equal(await focused(), "files");
  });

  test("names come from lists, files and ready lists", async () => {
    await visit();
    const load = (name, text) => page.setInputFiles("#names-file", { name, mimeType: "text/plain", buffer: Buffer.from(text) });
    const names = () => page.locator(".chip-name").allTextContents();
    await load("names.txt", "\uFEFFcat\r\n\n dog \ncat\n");
    await page.waitForFunction(() => document.querySelectorAll(".chip").length === 2);
    assert.deepEqual(await names(), ["cat", "dog"]);
    await load("names.csv", 'label,count\n"hat, red",3\n"a ""quoted"" one",4\nplain,5\n');
    await page.waitForFunction(() => document.querySelectorAll(".chip").length === 3);
    assert.deepEqual(await names(), ["hat, red", 'a "quoted" one', "plain"]);
    await load("names.json", '[{"label":"<b>one</b>"},"two",{"name":"three"},4]');
    await page.waitForFunction(() => document.querySelector(".chip-name").textContent === "<b>one</b>");
    assert.deepEqual(await names(), ["<b>one</b>", "two", "three"]);
    for (const [name, text, pattern] of [
      ["broken.json", "[1,", /not valid JSON/],
      ["none.txt", " \n ", /holds no names/],
      ["large.txt", "x".repeat(1024 * 1024 + 1), /too large/],
    ]) {
      await load(name, text);
      await page.waitForFunction((part) => document.querySelector("#names-error").textContent.includes(part), name);
      assert.match(await page.textContent("#names-error"), pattern);
    }
    assert.deepEqual(await names(), ["<b>one</b>", "two", "three"]);
    // A list in the clipboard is many names, and a line of it is text to go on with.
    const paste = async (text) => {
      await page.evaluate((words) => navigator.clipboard.writeText(words), text);
      await page.focus("#name-input");
      await page.keyboard.press("Control+V");
    };
    await paste("four\r\n five , two\tsix\n\n");
    await page.waitForFunction(() => document.querySelectorAll(".chip").length === 6);
    assert.deepEqual(await names(), ["<b>one</b>", "two", "three", "four", "five", "six"]);
    assert.equal(await page.inputValue("#name-input"), "");
    await paste("seven eight");
    assert.equal(await page.inputValue("#name-input"), "seven eight");
    await page.keyboard.press("Enter");
    assert.equal((await names()).at(-1), "seven eight");
    await page.selectOption("#preset", "flowers");
    assert.deepEqual(await names(), ["daisy", "dandelion", "roses", "sunflowers", "tulips"]);
    assert.ok(await page.locator("#names-error").isHidden());
  });

  test("a link holds every setting and no photo", async () => {
    await visit();
    await page.fill("#template", "a drawing of a {}, small");
    await page.locator("#name-input").fill("");
    await page.click("#names-mode");
    await page.fill("#names-area", "church, old\nship\n<b>&amp;=?#");
    await page.click("#tune > summary");
    await page.check("input[name=tune][value=difftpt-lite]");
    await page.check("input[name=views][value='16']");
    await page.fill("#tune-steps", "2");
    await page.fill("#tune-seed", "7");
    await page.locator("#tune-seed").blur();
    await page.click("label:has(#gallery)");
    await openPlace(page, "check");
    await page.selectOption("#score", "energy");
    await openPlace(page, "look");
    const answer = async () => {
      // The second borrows from the first, which had nobody to borrow from.
      await page.click("[data-sample=rocket]");
      await done(1);
      await page.click("[data-sample=church]");
      await done(2);
    };
    await answer();
    await page.selectOption("#sort", "unsure");
    const before = await page.locator(".after .bar-value").allTextContents();
    await page.click("#permalink");
    await page.waitForFunction(() => document.getElementById("permalink").textContent === "Copied");
    const link = await page.evaluate(() => navigator.clipboard.readText());
    assert.equal(await page.evaluate(() => location.href), link);
    assert.ok(!/blob|data:|rocket\.jpg/.test(link) && link.length < 1000, link);

    await page.goto("about:blank");
    // Words that were struck and added go along where the reader edited them.
    await page.goto(`${link}&struck=soup,hat&added=%5B%22a,b%22%5D`);
    await page.waitForSelector(READY);
    assert.equal(await page.locator(".card").count(), 0);
    assert.deepEqual(await page.locator(".chip-name").allTextContents(), ["church, old", "ship", "<b>&amp;=?#"]);
    assert.equal(await page.inputValue("#template"), "a drawing of a {}, small");
    assert.equal(await page.inputValue("#score"), "energy");
    assert.ok(await page.isChecked("#gallery"));
    assert.equal(await page.inputValue("#sort"), "unsure");
    assert.match(await page.textContent("#tune-state"), /^DiffTPT-lite, 16 views$/);
    assert.deepEqual([await page.inputValue("#tune-steps"), await page.inputValue("#tune-seed")], ["2", "7"]);
    await answer();
    assert.deepEqual(await page.locator(".after .bar-value").allTextContents(), before);
    await page.click("#permalink");
    await page.waitForFunction(() => document.getElementById("permalink").textContent === "Copied");
    const again = new URL(await page.evaluate(() => navigator.clipboard.readText()));
    assert.deepEqual([again.searchParams.get("struck"), again.searchParams.get("added")], ["soup,hat", '["a,b"]']);
    const [saved] = await Promise.all([page.waitForEvent("download"), page.click("#save-json")]);
    const { settings } = JSON.parse(await readFile(await saved.path(), "utf8"));
    assert.deepEqual([settings.prompt, settings.struck, settings.added], [null, ["soup", "hat"], ["a,b"]]);
    for (const [name, value] of new URL(link).searchParams) assert.equal(again.searchParams.get(name), value, name);
  });

  test("a link that is damaged or hostile changes nothing", async () => {
    await visit("?device=cpu&labels=%5Bcat,dog&tune=everything&views=1e9&steps=-4&seed=x&ood=%3Cscript%3E&lang=xx");
    assert.deepEqual(await page.locator(".chip-name").allTextContents(), ["[cat", "dog"]);
    assert.equal(await page.textContent("#tune-state"), "off");
    assert.equal(await page.inputValue("#score"), "mcm");
    assert.equal(await page.getAttribute("html", "lang"), "en");
  });

  test("every picture of the gallery is answered with its own name among the names first shown", async () => {
    // Names that an earlier test typed are kept.
    await page.evaluate(() => [localStorage, sessionStorage].forEach((storage) => storage.clear()));
    await visit("?device=cpu");
    assert.deepEqual(await page.locator(".chip-name").allTextContents(), JSON.parse(await readFile(join(DIST, "models/mini/labels.json"), "utf8")));
    const pictures = page.locator("[data-sample]");
    const names = await pictures.evaluateAll((all) => all.map((one) => one.dataset.sample));
    assert.ok(names.length >= 6, names.join());
    for (const one of await pictures.all()) await one.click();
    await done(names.length);
    const best = await page.locator(".card").evaluateAll((all) => all.map((card) => [card.querySelector(".file").textContent.trim(), card.querySelector(".bar").textContent.trim()]));
    for (const [file, answer] of best) assert.ok(answer.startsWith(file.replace(".jpg", "").replace("-", " ")), `${file}: ${answer}`);

    const sorted = async (order, read, compare) => {
      await page.selectOption("#sort", order);
      const values = await page.locator(".card").evaluateAll(read);
      assert.deepEqual(values, [...values].sort(compare), order);
      assert.ok(new Set(values).size > 2 && values.every((value) => value || value === 0), `${order}: ${values}`);
    };
    await sorted("label", (all) => all.map((card) => card.querySelector(".bar-label").textContent.trim()), (a, b) => a.localeCompare(b));
    await sorted("surest", (all) => all.map((card) => parseFloat(card.querySelector(".bar-value").textContent)), (a, b) => b - a);
    await sorted("misfit", (all) => all.map((card) => Number(card.querySelector(".gauge").style.getPropertyValue("--value"))), (a, b) => a - b);
  });

  test("the camera and a folder give photos", async () => {
    await visit();
    await page.click("#camera");
    await page.waitForSelector("#camera-shoot:not([disabled])");
    await page.click("#camera-shoot");
    await done(1);
    assert.equal(await page.textContent(".card .file"), "camera.jpg");
    assert.equal(await page.evaluate(() => document.getElementById("camera-video").srcObject), null);
    const folder = await openSite({ "a/ship.jpg": sample("rocket"), "b/church.jpg": sample("church"), "b/notes.txt": join(DIST, "index.html") });
    await page.setInputFiles("#folder", folder.folder);
    await done(3);
    assert.deepEqual((await page.locator(".card .file").allTextContents()).slice(0, 2).sort(), ["church.jpg", "ship.jpg"]);
    // The same folder and a file beside it, dropped as from the file manager; a page cannot make such a drop.
    await page.click("#clear");
    const protocol = await session.browser.newCDPSession(page);
    const data = { items: [], files: [folder.folder, sample("golf-ball")], dragOperationsMask: 1 };
    for (const type of ["dragEnter", "dragOver", "drop"]) await protocol.send("Input.dispatchDragEvent", { type, x: 300, y: 300, data });
    await done(3);
    assert.deepEqual((await page.locator(".card .file").allTextContents()).sort(), ["church.jpg", "golf-ball.jpg", "ship.jpg"]);
    assert.ok(await page.evaluate(() => !document.getElementById("drop").classList.contains("over")));
    await folder.close();
  });

  test("where a name is: drawn over the photo, for each name, in two ways", async () => {
    await visit(`?device=cpu&labels=${LABELS.join()}&model=./models/mini-vit/`);
    await page.click("[data-sample=sunflower]");
    await done(1);
    assert.ok(await page.locator(".heat-map").isHidden());
    await page.click(".where");
    await page.waitForSelector(".heat-map:not([hidden])");
    const pixels = () => page.evaluate(() => {
      const canvas = document.querySelector(".heat-map");
      return [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data].filter((_, i) => i % 4 === 3);
    });
    const first = await pixels();
    assert.equal(first.length, 64);
    assert.ok(new Set(first).size > 8, "the map is flat");
    assert.deepEqual([Math.min(...first), Math.max(...first)], [0, 255]);
    const [best] = await page.locator(".bar-label").allTextContents();
    assert.equal(await page.inputValue(".heat-label"), best);
    assert.match(await page.getAttribute(".heat-map", "aria-label"), new RegExp(`^It looks most like ${best} (at|in|on)`));
    await page.locator(".heat-label").selectOption({ index: 1 });
    assert.notDeepEqual(await pixels(), first);
    await page.selectOption(".heat-method", "regions");
    await page.waitForFunction(() => document.querySelector(".where").getAttribute("aria-busy") === null);
    const regions = await pixels();
    assert.equal(regions.length, 64);
    assert.notDeepEqual(regions, first);
    await page.click(".where");
    assert.ok(await page.locator(".heat-map").isHidden());
  });

  test("two hundred photos: as tiles, sorted, exported, without a request, on a page that reacts", async () => {
    await visit();
    const base = await readFile(sample("rocket"));
    const others = await Promise.all(["church", "parachute", "sunflower", "golf-ball"].map((name) => readFile(sample(name))));
    const files = Array.from({ length: 200 }, (_, i) => ({
      name: `photo ${i}.jpg`,
      mimeType: "image/jpeg",
      buffer: i % 5 === 0 ? base : others[(i % 5) - 1],
    }));
    files[17] = { name: "photo 17.jpg", mimeType: "image/jpeg", buffer: Buffer.from("no photo") };
    const requests = recordRequests(session.browser);
    await page.setInputFiles("#files", files);
    // Choosing hands 200 files over by the test's own protocol, which the page waits for.
    await watchTasks(page);
    await page.waitForFunction(() => document.querySelectorAll(".tile").length > 10);
    const settledAt = () =>
      page.waitForFunction(() => document.querySelector("#run-text").textContent === "" && document.querySelector("#run-button").hidden && !document.querySelector(".tile[data-state=waiting]"));
    await settledAt();
    await assertResponsive(page, "two hundred photos");
    const tiles = await page.locator(".tile").count();
    assert.ok(tiles < 120, `${tiles} tiles exist at once`);
    assert.equal(await page.locator(".card").count(), 0);
    assert.deepEqual(requests.filter((url) => !url.startsWith("blob:")), []);

    await page.selectOption("#sort", "unsure");
    const shares = await page.locator(".tile").evaluateAll((all) =>
      all.sort((a, b) => a.ariaPosInSet - b.ariaPosInSet).filter(({ dataset }) => dataset.state === "done").map((tile) => parseInt(tile.querySelector(".tile-share").textContent, 10)),
    );
    assert.ok(shares.length > 5);
    assert.deepEqual(shares, [...shares].sort((a, b) => a - b));

    await page.selectOption("#sort", "name");
    const first = page.locator(".tile[aria-posinset='1'] button");
    assert.match(await first.getAttribute("aria-label"), /^photo 0\.jpg: /);
    await first.focus();
    await page.keyboard.press("End");
    assert.match(await page.evaluate(() => document.activeElement.ariaLabel), /^photo 199\.jpg: /);
    await page.keyboard.press("Enter");
    await page.waitForSelector("#details[open] .card");
    assert.equal(await page.textContent("#details .file"), "photo 199.jpg");
    await page.keyboard.press("ArrowLeft");
    assert.equal(await page.textContent("#details .file"), "photo 198.jpg");
    await mkdir(OUT, { recursive: true });
    await page.screenshot({ path: join(OUT, "details.png") });
    await page.keyboard.press("Escape");
    await page.waitForSelector("#details:not([open])", { state: "attached" });

    const [download] = await Promise.all([page.waitForEvent("download"), page.click("#save-json")]);
    const { results } = JSON.parse(await readFile(await download.path(), "utf8"));
    assert.equal(results.length, 200);
    assert.deepEqual(results.filter(({ error }) => error).map(({ file, error }) => [file, error.code]), [["photo 17.jpg", "image/unknown-format"]]);
    await looks(page, "grid", { fullPage: false, top: "#arrange" });
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.selectOption("#view", "list");
    assert.equal(await page.locator(".card").count(), 200);
  });
});
