// axe-core over every state of the page, each with a picture at two widths, light and dark.
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { DIST, openBrowser, openSite } from "./harness.mjs";
import { looks } from "./looks.mjs";
import { openPlace } from "./support.mjs";

const READY = "#status[data-state=ready]";

describe("accessibility", { timeout: 900_000 }, () => {
  let site;
  let session;
  let page;

  before(async () => {
    site = await openSite({ "": DIST });
    session = await openBrowser({
      webgpu: false,
      locale: "en-US",
      reducedMotion: "reduce",
      permissions: ["camera"],
      args: ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"],
    });
    page = session.page;
  });
  after(async () => {
    await session?.close();
    await site?.close();
  });

  afterEach(() => page.unrouteAll());

  const check = (name, how) => looks(page, `state-${name}`, how);

  test("while loading", async () => {
    await page.route("**/*.safetensors", () => {});
    await page.goto(`${site.url}?device=cpu&labels=ship,dog`);
    await page.waitForSelector("#status[data-state=loading]");
    await page.click("[data-sample=rocket]");
    await page.waitForSelector(".card");
    await check("loading");
  });

  test("empty, and with everything open", async () => {
    await page.goto(`${site.url}?labels=ship,church,parachute,sunflowers,dog,cat`);
    await page.waitForSelector(READY);
    await check("empty");
    await page.evaluate(() => {
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File([""], "photo.jpg"));
      document.querySelector("main").dispatchEvent(new DragEvent("dragenter", { bubbles: true, cancelable: true, dataTransfer }));
    });
    assert.equal(await page.locator(".drop.over").count(), 1);
    await page.click("#names-mode");
    await page.evaluate(() => {
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File([""], "photo.jpg"));
      document.querySelector("main").dispatchEvent(new DragEvent("dragleave", { bubbles: true, cancelable: true, dataTransfer }));
    });
    await page.fill("#template", "no place for a name");
    await page.waitForSelector("#template-error:not([hidden])");
    await check("names-text");
    await page.fill("#template", "a photo of a {}.");
    await page.click("#names-mode");
    await page.click("#camera");
    await page.waitForSelector("#camera-shoot:not([disabled])");
    await check("camera");
    await page.click("#camera-close");
    for (const drawer of await page.locator("details.drawer > summary").all()) await drawer.click();
    await check("drawers");
    await page.click("#models > summary");
    for (const place of ["teach", "check"]) {
      await openPlace(page, place);
      await check(`${place}-empty`);
    }
  });

  test("with results, tuned, a map, and a file that is none", async () => {
    await page.goto(`${site.url}?device=cpu&labels=ship,church,parachute,sunflowers,dog,cat&tune=tpt&views=16`);
    await page.waitForSelector(READY);
    await page.click("[data-sample=sunflower]");
    await page.setInputFiles("#files", [{ name: "notes.jpg", mimeType: "image/jpeg", buffer: Buffer.from("words") }]);
    await page.waitForSelector(".card[data-state=done]");
    await page.waitForSelector(".card[data-state=failed]");
    await page.click(".where:visible");
    await page.waitForSelector(".heat-map:not([hidden])");
    await check("results");
    await check("motion", { motion: "no-preference" });
    await page.selectOption("#language", "zh");
    await page.waitForFunction(() => document.documentElement.lang === "zh-Hans");
    await check("chinese");
    await page.selectOption("#language", "en");
    await page.selectOption("#view", "grid");
    await page.waitForSelector(".tile");
    await check("grid-few");
    await page.click(".tile button");
    await page.waitForSelector("#details[open]");
    await check("dialog");
  });

  test("tuning, and stopped half way", async () => {
    // Long enough for all the pictures.
    await page.goto(`${site.url}?device=cpu&labels=ship,church,parachute,sunflowers,dog,cat&tune=tpt&views=64&steps=100`);
    await page.waitForSelector(READY);
    for (const sample of await page.locator("[data-sample]").all()) await sample.click();
    await page.waitForSelector(".stage:not([hidden])");
    await check("tuning");
    assert.ok(await page.locator(".stage:not([hidden])").isVisible(), "the tuning was over before its pictures were taken");
    await page.click("#run-button");
    await page.waitForSelector(".card[data-state=stopped]");
    await check("stopped");
  });

  test("written from right to left, nothing is cut off", async () => {
    await page.goto(`${site.url}?device=cpu&labels=ship,church`);
    await page.waitForSelector(READY);
    await page.click("[data-sample=church]");
    await page.waitForSelector(".card[data-state=done]");
    await page.evaluate(() => (document.documentElement.dir = "rtl"));
    await check("rtl");
  });

  test("without a network, and without a model", async () => {
    await page.goto(`${site.url}?device=cpu&labels=ship,church`);
    await page.waitForSelector(READY);
    await session.browser.setOffline(true);
    await page.waitForSelector("#network:not([hidden])");
    await check("offline");
    await session.browser.setOffline(false);
    await page.goto(`${site.url}?device=webgpu&labels=ship,church`);
    await page.waitForSelector("#status[data-state=failed]");
    assert.ok(await page.locator("#use-cpu").isVisible());
    await check("no-webgpu");
    await page.click("#use-cpu");
    await page.waitForSelector(READY);
    await page.goto(`${site.url}?device=cpu&labels=ship,church&model=./models/nowhere/`);
    await page.waitForSelector("#status[data-state=failed]");
    await check("failed");
  });
});
