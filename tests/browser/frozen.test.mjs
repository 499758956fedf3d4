// A tab that the browser freezes in the middle of a call: no timer runs and no answer arrives until it is active
// again; then the call is answered, and nothing that was typed or taught is lost.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { after, before, describe, test } from "node:test";
import { DIST, openBrowser, openSite } from "./harness.mjs";
import { bench } from "./kept.mjs";

const NAMES = ["church", "parachute", "sunflower", "rocket", "cat", "cup"];
/** How long the tab stays frozen: many times what the page would need for an answer that is under way. */
const FROZEN_MS = 4000;

for (const device of ["cpu", "webgpu"]) {
  describe(`a frozen tab, on ${device}`, { timeout: 1_200_000 }, () => {
    let site;
    let session;
    let page;
    let tab;
    let devtools;
    const complaints = [];

    before(async () => {
      site = await openSite({ "": DIST });
      session = await openBrowser({ webgpu: device === "webgpu", reducedMotion: "reduce", locale: "en-US" });
      page = session.page;
      page.on("pageerror", (error) => complaints.push(error.message));
      devtools = await session.browser.newCDPSession(page);
      await page.addInitScript(() => {
        window.ticks = 0;
        setInterval(() => (window.ticks += 1), 20);
        window.lifecycle = [];
        for (const type of ["freeze", "resume"]) document.addEventListener(type, () => window.lifecycle.push(type));
      });
      tab = bench(page, site.url);
      await tab.open(`?device=${device}&lang=en&labels=${NAMES.join()}`);
    });
    after(async () => {
      await session?.close();
      await site?.close();
    });

    const states = () => page.locator(".card, .tile").evaluateAll((all) => all.map(({ dataset }) => dataset.state));

    /** Freezes the tab once `begun` holds, sees that it stands still, and makes it active again. `standing`: what must not move. */
    async function frozen(begun, standing) {
      await page.waitForFunction(begun);
      await devtools.send("Page.setWebLifecycleState", { state: "frozen" });
      const still = async () => [await page.evaluate(() => window.ticks), await standing()];
      const before = await still();
      await pause(FROZEN_MS);
      assert.deepEqual(await still(), before, "the tab is not frozen");
      await devtools.send("Page.setWebLifecycleState", { state: "active" });
      await page.bringToFront();
      await page.waitForFunction((ticks) => window.ticks > ticks, before[0]);
      return before[1];
    }

    test("while photos are classified", async () => {
      const photos = await Promise.all(NAMES.map(async (name) => ({ name: `${name}.jpg`, mimeType: "image/jpeg", buffer: await readFile(join(DIST, `samples/${name}.jpg`)) })));
      await page.setInputFiles("#files", photos);
      const found = await frozen(() => document.querySelector(".card[data-state=done]"), states);
      assert.ok(found.includes("waiting"), `${found}`);
      await page.waitForFunction((count) => document.querySelectorAll(".card[data-state=done]").length === count, NAMES.length);
      const best = await page.locator(".card").evaluateAll((all) => all.map((card) => [card.querySelector(".file").textContent.trim(), card.querySelector(".bar-label").textContent.trim()]));
      for (const [file, name] of best) assert.equal(file, `${name}.jpg`);
      await page.click("#clear");
    });

    test("while a photo is tuned, with a name half typed", async () => {
      await page.click("#tune > summary");
      await page.check("input[name=tune][value=tpt]");
      await page.click("[data-sample=rocket]");
      await page.fill("#name-input", "half a na");
      const found = await frozen(() => document.querySelector(".card .stage:not([hidden])"), states);
      assert.deepEqual(found, ["waiting"]);
      await page.waitForSelector(".card[data-state=done]");
      assert.equal(await page.locator(".card .tuned-sentence").count(), 1);
      assert.equal(await page.inputValue("#name-input"), "half a na");
      await page.fill("#name-input", "");
      assert.deepEqual(await tab.names(), NAMES);
      await page.check("input[name=tune][value=none]");
      await page.click("#clear");
    });

    test("while it learns", async () => {
      await tab.place("teach");
      const taught = NAMES.slice(0, 3);
      for (const name of taught) {
        await page.selectOption("#teach-class", name);
        await page.setInputFiles("#teach-files", join(DIST, `samples/${name}.jpg`));
      }
      await page.waitForFunction(() => document.querySelectorAll("#teach-classes [data-taught]").length === 3);
      await page.selectOption("#teach-recipe", "coop");
      await page.selectOption("#teach-check", "none");
      await page.fill("#teach-epochs", "40");
      const stage = () => page.evaluate(() => [document.getElementById("teach-stage").textContent, document.getElementById("teach-progress").value, document.getElementById("teach-run").hidden]);
      await page.click("#teach-start");
      const [, , over] = await frozen(() => document.getElementById("teach-progress").value > 0, stage);
      assert.equal(over, false, "it had learned before it was frozen");
      await page.waitForSelector("#teach-result:not([hidden])");
      assert.equal(await page.locator("#teach-error:not([hidden])").count(), 0);
      assert.equal(await page.locator("#teach-classes [data-taught]").count(), 3);
      await page.click("#teach-use");
      await tab.learned(/coop/);
      await tab.promptKept(true);
      // It answers, and it is there after a reload.
      assert.ok((await tab.answer()).length > 0);
      await tab.reload();
      await tab.learned(/coop/);
      assert.deepEqual(await tab.names(), NAMES);
      assert.deepEqual(complaints, []);
    });

    test("is told so by the browser", async () => {
      await devtools.send("Page.setWebLifecycleState", { state: "frozen" });
      await devtools.send("Page.setWebLifecycleState", { state: "active" });
      await page.waitForFunction(() => window.lifecycle.length === 2);
      assert.deepEqual(await page.evaluate(() => window.lifecycle), ["freeze", "resume"]);
      assert.equal(await page.locator("#status[data-state=ready]").count(), 1);
    });
  });
}
