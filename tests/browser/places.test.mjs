// The three places of the page: by pointer and by keyboard, in the address, and with nothing lost.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { DIST, openBrowser, openSite } from "./harness.mjs";
import { looks } from "./looks.mjs";
import { chooseRecipe, englishLeft, openPlace } from "./support.mjs";

const READY = "#status[data-state=ready]";
const PLACES = ["look", "teach", "check"];
const SIZES = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 900 } };
const LABELS = ["church", "parachute", "sunflower", "rocket"];
const sample = (name) => join(DIST, `samples/${name}.jpg`);

describe("places", { timeout: 900_000 }, () => {
  let site;
  let session;
  let page;

  before(async () => {
    site = await openSite({ "": DIST });
    session = await openBrowser({ webgpu: false, locale: "en-US", reducedMotion: "reduce" });
    page = session.page;
  });
  after(async () => {
    await session?.close();
    await site?.close();
  });

  const visit = async (more = "", hash = "") => {
    // From elsewhere: another hash alone would not load the page anew.
    await page.goto("about:blank");
    await page.goto(`${site.url}?device=cpu&labels=${LABELS.join()}${more}${hash}`);
    await page.waitForSelector(READY);
  };
  const done = (count) => page.waitForFunction((n) => document.querySelectorAll(".card[data-state=done]").length === n, count);
  /** The place that is shown, as each part of the page says it. */
  const shown = () =>
    page.evaluate(() => ({
      tab: document.querySelector("[role=tab][aria-selected=true]").textContent,
      reached: [...document.querySelectorAll("[role=tab]")].filter(({ tabIndex }) => tabIndex === 0).map(({ id }) => id),
      seen: [...document.querySelectorAll(".place")].filter((place) => place.checkVisibility()).map(({ id }) => id),
      hash: location.hash,
    }));
  const assertShown = async (place, tab, hash = `#${place}`) =>
    assert.deepEqual(await shown(), { tab, reached: [`tab-${place}`], seen: [`place-${place}`], hash });

  for (const [size, viewport] of Object.entries(SIZES)) {
    for (const [language, words] of [
      ["en", { look: "Look", teach: "Teach", check: "Check" }],
      ["zh", { look: "识别", teach: "教学", check: "检验" }],
    ]) {
      test(`each place is one click away, in the address, and kept by Back and by a reload: ${size}, ${language}`, async () => {
        await page.setViewportSize(viewport);
        await visit(`&lang=${language}`);
        await assertShown("look", words.look, "");
        await openPlace(page, "teach");
        await assertShown("teach", words.teach);
        await openPlace(page, "check");
        await assertShown("check", words.check);
        await page.goBack();
        await assertShown("teach", words.teach);
        await page.reload();
        await page.waitForSelector(READY);
        await assertShown("teach", words.teach);
        await page.goForward();
        await assertShown("check", words.check);
        if (language === "zh") for (const place of PLACES) {
          await openPlace(page, place);
          assert.deepEqual(await englishLeft(page), [], place);
        }
        // What is on the page fits the window, tabs included.
        for (const place of PLACES) {
          await openPlace(page, place);
          const box = await page.locator(`#tab-${place}`).boundingBox();
          assert.ok(box.x >= 0 && box.x + box.width <= viewport.width && box.y >= 0 && box.y + box.height <= viewport.height, `${place} at ${JSON.stringify(box)}`);
          if (size === "phone") assert.ok(box.height >= 40 && box.y > viewport.height - 80, "a tab is at the thumb");
        }
      });
    }
  }

  test("arrows, Home and End lead through the places, and Tab from one into what it shows", async () => {
    await page.setViewportSize(SIZES.desktop);
    await visit();
    await page.focus("#tab-look");
    for (const [key, place, tab] of [
      ["ArrowRight", "teach", "Teach"],
      ["ArrowRight", "check", "Check"],
      ["ArrowRight", "look", "Look"],
      ["ArrowLeft", "check", "Check"],
      ["Home", "look", "Look"],
      ["End", "check", "Check"],
      ["ArrowLeft", "teach", "Teach"],
    ]) {
      await page.keyboard.press(key);
      await assertShown(place, tab);
      assert.equal(await page.evaluate(() => document.activeElement.id), `tab-${place}`);
    }
    const reached = [];
    while (!reached.includes("teach-folder") && reached.length < 10) {
      await page.keyboard.press("Tab");
      reached.push(await page.evaluate(() => document.activeElement.id || document.activeElement.tagName));
    }
    assert.ok(reached.includes("teach-folder"), reached.join());
    assert.ok(!reached.some((id) => id.startsWith("tab-")), "one stop for all tabs");
  });

  test("a link to a place opens it; any other hash, and a link of before, opens Look", async () => {
    await page.setViewportSize(SIZES.phone);
    await visit("", "#check");
    await assertShown("check", "Check");
    await visit("", "#teach");
    await assertShown("teach", "Teach");
    assert.equal(await page.evaluate(() => scrollY), 0, "the page is shown from its top");
    await visit("&template=a%20drawing%20of%20a%20{}.&ood=energy&lang=en", "#nowhere");
    await assertShown("look", "Look", "#nowhere");
    assert.equal(await page.inputValue("#template"), "a drawing of a {}.");
    assert.equal(await page.inputValue("#score"), "energy");
  });

  test("a phone shows the first answer without scrolling", async () => {
    await page.setViewportSize(SIZES.phone);
    await page.goto("about:blank");
    await page.goto(`${site.url}?device=cpu&lang=en`);
    await page.waitForSelector(READY);
    await page.click("[data-sample=cat]");
    await done(1);
    const { scrolled, top, bottom, fold } = await page.evaluate(() => {
      const card = document.querySelector(".card").getBoundingClientRect();
      return { scrolled: scrollY, top: card.top, bottom: card.bottom, fold: document.getElementById("places").getBoundingClientRect().top };
    });
    assert.equal(scrolled, 0);
    assert.ok(fold <= 844 && top > 0 && bottom <= fold, `the card ends at ${bottom}, the window at ${fold}`);
    // From there the names are one press away.
    await page.click("#to-names");
    assert.equal(await page.evaluate(() => document.activeElement.id), "name-input");
  });

  test("nothing is lost on the way: photos, answers, names, lesson, settings and half-typed text", async () => {
    await page.setViewportSize(SIZES.desktop);
    await visit("&lang=en");
    await page.setInputFiles("#files", [sample("rocket"), sample("church")]);
    await done(2);
    const answers = () => page.locator(".card").evaluateAll((all) => all.map((card) => card.querySelector(".bars").textContent.replace(/\s+/g, " ")));
    const before = await answers();
    await page.click("#tune > summary");
    await page.fill("#name-input", "half-ty");
    await openPlace(page, "teach");
    // What was typed becomes a name when its field is left, as ever.
    await page.waitForFunction(() => [...document.querySelectorAll("#chips .chip-name")].at(-1).textContent === "half-ty");
    await page.locator(".class", { hasText: "church" }).locator("input").setInputFiles([sample("church"), sample("church")]);
    await page.waitForFunction(() => document.querySelector("[data-taught] .class-count")?.textContent === "2 photos");
    await chooseRecipe(page, "taskres");
    await page.fill("#teach-epochs", "7");
    await page.fill("#teach-add-name", "zeppe");
    await openPlace(page, "check");
    await page.selectOption("#score", "energy");
    await page.waitForFunction(() => document.querySelectorAll("#check-photos .tile").length === 2);
    await openPlace(page, "teach");
    assert.equal(await page.textContent("[data-taught] .class-count"), "2 photos");
    assert.deepEqual([await page.textContent("#teach-recipe"), await page.inputValue("#teach-epochs"), await page.inputValue("#teach-add-name")], ["taskres", "7", "zeppe"]);
    await openPlace(page, "look");
    await done(2);
    assert.ok(await page.locator("#tune").evaluate(({ open }) => open));
    await page.click(".chip:last-child .chip-remove");
    await page.waitForFunction(() => document.querySelectorAll(".card[data-state=waiting]").length === 0 && document.querySelectorAll("#chips .chip").length === 4);
    await done(2);
    await page.waitForFunction((old) => [...document.querySelectorAll(".card .bars")].map((bars) => bars.textContent.replace(/\s+/g, " ")).join() === old.join(), before);
    await openPlace(page, "check");
    assert.equal(await page.inputValue("#score"), "energy");
  });

  test("a place is left where it was scrolled to, and found there again", async () => {
    await page.setViewportSize(SIZES.phone);
    await visit("&lang=en");
    await page.setInputFiles("#files", [sample("rocket"), sample("church")]);
    await done(2);
    await page.evaluate(() => scrollTo(0, 500));
    await openPlace(page, "teach");
    assert.equal(await page.evaluate(() => scrollY), 0);
    await openPlace(page, "look");
    assert.equal(await page.evaluate(() => scrollY), 500);
  });

  test("photos go to a class by its own button and by a drop on it, and classes come by name", async () => {
    await page.setViewportSize(SIZES.desktop);
    await visit("&lang=en");
    await openPlace(page, "teach");
    assert.deepEqual(await page.locator(".class .class-name").allTextContents(), LABELS);
    await page.fill("#teach-add-name", " zeppelin ");
    await page.press("#teach-add-name", "Enter");
    assert.deepEqual(await page.locator(".class .class-name").allTextContents(), [...LABELS, "zeppelin"]);
    assert.deepEqual(await page.locator("#chips .chip-name").allTextContents(), [...LABELS, "zeppelin"]);
    const drop = async (selector, name) => {
      const base64 = (await readFile(sample(name))).toString("base64");
      await page.locator(selector).evaluate(
        (target, [file, text]) => {
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))], `${file}.jpg`, { type: "image/jpeg" }));
          for (const type of ["dragover", "drop"]) target.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer }));
        },
        [name, base64],
      );
    };
    await drop(".class:has-text('zeppelin') .class-head", "parachute");
    await page.waitForFunction(() => document.getElementById("teach-count").textContent.startsWith("1 "));
    // Beside the classes, it is for the class that is chosen above.
    await page.selectOption("#teach-class", "rocket");
    await drop("#teach-recipe", "rocket");
    await page.waitForFunction(() => document.getElementById("teach-count").textContent.startsWith("2 "));
    const counts = () => page.locator(".class[data-taught]").evaluateAll((all) => all.map((item) => [".class-name", ".class-count"].map((part) => item.querySelector(part).textContent)));
    assert.deepEqual(await counts(), [["rocket", "1 photo"], ["zeppelin", "1 photo"]]);
    assert.equal(await page.locator(".card").count(), 0, "Look takes none of them");
    await page.waitForSelector(".class[data-taught] canvas");
    await page.click(".class:has-text('zeppelin') .class-remove");
    assert.deepEqual(await counts(), [["rocket", "1 photo"]]);
    assert.match(await page.evaluate(() => document.activeElement.ariaLabel), /^Add photos of .*zeppelin/);
  });

  test("what was pasted while teaching is answered in Look", async () => {
    const base64 = (await readFile(sample("rocket"))).toString("base64");
    await page.evaluate((text) => {
      const clipboardData = new DataTransfer();
      clipboardData.items.add(new File([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))], "pasted.jpg", { type: "image/jpeg" }));
      document.body.dispatchEvent(new ClipboardEvent("paste", { bubbles: true, cancelable: true, clipboardData }));
    }, base64);
    await done(1);
    await assertShown("look", "Look");
  });

  test("Check shows the photos by their score, and a threshold sorts out those below it", async () => {
    await visit("&lang=en");
    await page.setInputFiles("#files", ["rocket", "church", "golf-ball"].map(sample));
    await done(3);
    assert.equal(await page.locator(".ood:visible").count(), 0);
    await openPlace(page, "check");
    const tiles = page.locator("#check-photos .tile");
    await page.waitForFunction(() => document.querySelectorAll("#check-photos .tile").length === 3);
    await page.focus("#threshold-slider");
    await page.keyboard.press("End");
    assert.equal(await page.locator("#check-photos .tile.out").count(), 3);
    await page.keyboard.press("Home");
    assert.equal(await page.locator("#check-photos .tile.out").count(), 0);
    const first = await tiles.evaluateAll((all) => all.find(({ ariaPosInSet }) => ariaPosInSet === "1").querySelector("button").ariaLabel.split(".jpg")[0]);
    await openPlace(page, "look");
    assert.equal(await page.locator(".tile").count(), 0, "out of sight the tiles are gone");
    const scores = await page.locator(".card").evaluateAll((all) => all.map((card) => [card.querySelector(".file").textContent.trim(), Number(card.querySelector(".gauge").style.getPropertyValue("--value"))]));
    assert.equal(scores.sort((a, b) => a[1] - b[1])[0][0], `${first}.jpg`);
    // One of them by itself, from Check and back.
    await openPlace(page, "check");
    await page.click("#check-photos .tile[aria-posinset='2'] button");
    await page.waitForSelector("#details[open] .card");
    await page.keyboard.press("Escape");
    assert.ok(await page.evaluate(() => document.activeElement.closest("#check-photos") !== null));
  });

  test("every place looks right, light and dark", async () => {
    await openPlace(page, "look");
    await looks(page, "place-look");
    await openPlace(page, "check");
    await looks(page, "place-check");
    await openPlace(page, "teach");
    await page.setInputFiles("#teach-files", ["rocket", "church"].map(sample));
    await page.waitForSelector(".class[data-taught] canvas");
    await looks(page, "place-teach");
    await page.selectOption("#language", "zh");
    await page.waitForFunction(() => document.documentElement.lang === "zh-Hans");
    await looks(page, "place-teach-chinese");
    await page.selectOption("#language", "en");
  });
});
