// axe-core over every state of the page, each with a picture at two widths, light and dark.
import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { DIST, openBrowser, openSite, OUT } from "./harness.mjs";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const READY = "#status[data-state=ready]";

describe("accessibility", { timeout: 900_000 }, () => {
  let site;
  let session;
  let page;

  before(async () => {
    site = await openSite({ "": DIST });
    session = await openBrowser({ webgpu: false, locale: "en-US", reducedMotion: "reduce", bypassCSP: true });
    page = session.page;
    await mkdir(OUT, { recursive: true });
  });
  after(async () => {
    await session?.close();
    await site?.close();
  });

  afterEach(() => page.unrouteAll());

  /** Pictures of the state, and what axe-core finds in it. */
  async function check(name, sizes = [360, 1280]) {
    const found = [];
    await page.addScriptTag({ content: await readFile(AXE, "utf8") });
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      for (const width of sizes) {
        await page.setViewportSize({ width, height: 1000 });
        await page.screenshot({ path: join(OUT, `state-${name}-${colorScheme}-${width}.png`), fullPage: true });
        const excess = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        assert.ok(excess <= 0, `${name}: ${excess} px too wide at ${width} px`);
        const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
        for (const { id, impact, nodes } of violations) {
          found.push(`${colorScheme} ${width} ${impact} ${id}: ${nodes.slice(0, 3).map(({ html, failureSummary }) => `${html.slice(0, 120)} ${failureSummary.slice(0, 200)}`).join(" | ")}`);
        }
      }
    }
    await page.emulateMedia({ colorScheme: "light", reducedMotion: "reduce" });
    await page.setViewportSize({ width: 1280, height: 1000 });
    assert.deepEqual(found, [], name);
  }

  test("while loading", async () => {
    await page.route("**/*.safetensors", () => {});
    await page.goto(`${site.url}?device=cpu&labels=ship,dog`);
    await page.waitForSelector("#status[data-state=loading]");
    await page.click("[data-sample=ship]");
    await page.waitForSelector(".card");
    await check("loading");
  });

  test("empty, and with everything open", async () => {
    await page.goto(`${site.url}?device=cpu&labels=ship,church,parachute,sunflowers,dog,cat`);
    await page.waitForSelector(READY);
    await check("empty");
    for (const drawer of await page.locator("details > summary:visible").all()) await drawer.click();
    await check("drawers");
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
