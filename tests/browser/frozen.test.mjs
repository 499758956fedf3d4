// A tab that the browser freezes in the middle of a call: no timer runs and no answer arrives until it is active
// again; then the call is answered, and nothing that was typed or taught is lost. Playwright keeps its tabs visible,
// and a visible one is never frozen; so this drives Chromium by puppeteer.
import assert from "node:assert/strict";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { after, before, describe, test } from "node:test";
import puppeteer from "puppeteer-core";
import { ALWAYS, CHROMIUM, SOFTWARE_WEBGPU } from "../../scripts/chromium.mjs";
import { DIST, openSite } from "./harness.mjs";

const NAMES = ["church", "parachute", "sunflower", "rocket", "cat", "cup"];
const sample = (name) => join(DIST, `samples/${name}.jpg`);
/** How long the tab stays frozen, which is longer than what is under way then would take. */
const FROZEN_MS = 4000;

/** The software adapter computes slowly: it gets less to do, which still takes longer than the freeze begins. */
const WORK = { cpu: { views: 64, epochs: 40 }, webgpu: { views: 16, epochs: 4 } };

for (const [device, { views, epochs }] of Object.entries(WORK)) {
  describe(`a frozen tab, on ${device}`, { timeout: 1_200_000 }, () => {
    let site;
    let browser;
    let page;
    let devtools;
    const complaints = [];

    before(async () => {
      site = await openSite({ "": DIST });
      const args = [...ALWAYS, ...(device === "webgpu" ? SOFTWARE_WEBGPU : [])];
      browser = await puppeteer.launch({ executablePath: CHROMIUM, headless: false, args, defaultViewport: { width: 1280, height: 900 }, protocolTimeout: 300_000 });
      [page] = await browser.pages();
      page.setDefaultTimeout(300_000);
      page.on("pageerror", (error) => complaints.push(error.message));
      devtools = await page.createCDPSession();
      await page.evaluateOnNewDocument(() => {
        window.ticks = 0;
        setInterval(() => (window.ticks += 1), 20);
        window.lifecycle = [];
        for (const type of ["freeze", "resume"]) document.addEventListener(type, () => window.lifecycle.push(type));
      });
      await page.goto(`${site.url}?device=${device}&lang=en&labels=${NAMES.join()}&views=${views}`);
      await until(() => document.querySelector("#status[data-state=ready]"));
    });
    after(async () => {
      await browser?.close();
      await site?.close();
    });

    /** Waits for what holds in the page; a tab in the background paints no frame that could be waited for. */
    const until = (holds, ...args) => page.waitForFunction(holds, { polling: 50 }, ...args);
    const give = async (selector, ...files) => (await page.$(selector)).uploadFile(...files);
    const set = (selector, value) =>
      page.$eval(selector, (field, wanted) => {
        field.value = wanted;
        for (const type of ["input", "change"]) field.dispatchEvent(new Event(type, { bubbles: true }));
      }, value);
    const click = (selector) => page.$eval(selector, (element) => element.click());
    const states = () => page.$$eval(".card", (all) => all.map(({ dataset }) => dataset.state));
    const names = () => page.$$eval("#chips .chip-name", (all) => all.map(({ textContent }) => textContent));

    /** Freezes the tab once `begun` holds, sees that it stands still, and makes it active again. `standing`: what must not move. */
    async function frozen(begun, standing) {
      await until(begun);
      await devtools.send("Page.setWebLifecycleState", { state: "frozen" });
      const still = async () => [await page.evaluate(() => window.ticks), await standing()];
      const before = await still();
      await pause(FROZEN_MS);
      assert.deepEqual(await still(), before, "the tab is not frozen");
      assert.equal(await page.evaluate(() => window.lifecycle.at(-1)), "freeze");
      await devtools.send("Page.setWebLifecycleState", { state: "active" });
      await until((ticks) => window.ticks > ticks, before[0]);
      assert.equal(await page.evaluate(() => window.lifecycle.at(-1)), "resume");
      // Another tab comes to the front and goes, as the reader comes back to this one.
      const other = await browser.newPage();
      await other.close();
      await page.bringToFront();
      return before[1];
    }

    test("while photos are classified", async () => {
      await give("#files", ...NAMES.map(sample));
      const found = await frozen(() => document.querySelector(".card[data-state=waiting]"), states);
      assert.ok(found.includes("waiting"), `${found}`);
      await until((count) => document.querySelectorAll(".card[data-state=done]").length === count, NAMES.length);
      const best = await page.$$eval(".card", (all) => all.map((card) => [card.querySelector(".file bdi").textContent, card.querySelector(".bar-label bdi").textContent]));
      for (const [file, name] of best) assert.equal(file, `${name}.jpg`);
      await click("#clear");
    });

    test("while a photo is tuned, with a name half typed", async () => {
      await click("input[name=tune][value=tpt]");
      await set("#name-input", "half a na");
      await give("#files", sample("rocket"));
      const found = await frozen(() => document.querySelector(".card .stage:not([hidden])"), states);
      assert.deepEqual(found, ["waiting"]);
      await until(() => document.querySelector(".card[data-state=done] .tuned-sentence"));
      assert.equal(await page.$eval("#name-input", ({ value }) => value), "half a na");
      await set("#name-input", "");
      assert.deepEqual(await names(), NAMES);
      await click("input[name=tune][value=none]");
      await click("#clear");
    });

    test("while it learns", async () => {
      await click("#tab-teach");
      for (const name of NAMES.slice(0, 3)) {
        await set("#teach-class", name);
        await give("#teach-files", sample(name));
        await until((label) => [...document.querySelectorAll("#teach-classes [data-taught] .class-name")].some(({ textContent }) => textContent === label), name);
      }
      await set("#teach-recipe", "coop");
      await set("#teach-check", "none");
      await set("#teach-epochs", String(epochs));
      await click("#teach-start");
      const stage = () => page.evaluate(() => [document.getElementById("teach-run").hidden, document.getElementById("teach-stage").textContent, document.getElementById("teach-progress").value]);
      const [over] = await frozen(() => document.getElementById("teach-progress").value > 0, stage);
      assert.equal(over, false, "it had learned before it was frozen");
      await until(() => document.querySelector("#teach-result:not([hidden]), #teach-error:not([hidden])"));
      assert.equal(await page.$("#teach-error:not([hidden])"), null);
      assert.equal((await page.$$("#teach-classes [data-taught]")).length, 3);
      await click("#teach-use");
      await until(() => /coop/.test(document.getElementById("teach-state").textContent));
      await until(() => JSON.parse(localStorage.getItem("promptlens.work"))?.prompt?.used);
      // It is there after a reload, and answers.
      await page.reload();
      await until(() => /coop/.test(document.getElementById("teach-state").textContent));
      assert.deepEqual(await names(), NAMES);
      await give("#files", sample("rocket"));
      await until(() => document.querySelector(".card[data-state=done]"));
      assert.deepEqual(complaints, []);
    });
  });
}
