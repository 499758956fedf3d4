/** What tests of the kept work do with a page: the functions of `bench(page, url)`. */
import { setTimeout } from "node:timers/promises";
import { emptyRecord, writeRecord } from "../../www/state/record.js";
import { openPlace } from "./support.mjs";

export const READY = "#status[data-state=ready]";
/** An address that says nothing about names. */
export const START = "?device=cpu&lang=en";
/** What the record is called in the browser's storages. */
export const KEY = "promptlens.work";

/** The text of a record, with these parts. */
export const record = (parts) => writeRecord({ ...emptyRecord(), ...parts });

/**
 * @param {import("playwright-core").Page} page
 * @param {string} url of the site
 */
export function bench(page, url) {
  const kept = () => page.evaluate((key) => JSON.parse(localStorage.getItem(key)), KEY);
  return {
    page,
    kept,
    async open(search = START) {
      await page.goto(`${url}${search}`);
      await page.waitForSelector(READY);
    },
    async reload() {
      await page.reload();
      await page.waitForSelector(READY);
    },
    names: () => page.locator("#chips .chip-name").allTextContents(),
    async add(name) {
      await openPlace(page, "look");
      await page.locator("#name-input").pressSequentially(`${name},`);
    },
    /** Types a list in place of the one there is. */
    async type(list) {
      await openPlace(page, "look");
      await page.click("#names-clear");
      await page.locator("#name-input").pressSequentially(list.map((name) => `${name},`).join(""));
    },
    /** The answer for one more photo. */
    async answer() {
      await openPlace(page, "look");
      const before = await page.locator(".card").count();
      await page.click("[data-sample=rocket]");
      await page.waitForFunction((n) => document.querySelectorAll(".card[data-state=done]").length === n, before + 1);
      return page.locator(".card:first-child .bar").evaluateAll((all) => all.map((bar) => bar.textContent.trim()));
    },
    place: (name) => openPlace(page, name),
    /** What the page says about the kept work. */
    said: async () => ((await page.locator("#kept").isVisible()) ? page.textContent("#kept-text") : ""),
    /** Waits until the record says that a prompt is kept, or that none is. */
    async promptKept(wanted) {
      while (Boolean((await kept())?.prompt) !== wanted) await setTimeout(50);
    },
    /** Waits until the page says this of a learned prompt. @param {RegExp} sentence */
    async learned(sentence) {
      while (!sentence.test(await page.textContent("#teach-state"))) await setTimeout(50);
    },
    put: (text) => page.evaluate(([key, value]) => [localStorage, sessionStorage].forEach((storage) => storage.setItem(key, value)), [KEY, text]),
    clear: () =>
      page.evaluate(async () => {
        localStorage.clear();
        sessionStorage.clear();
        const cache = await caches.open("promptlens-work");
        for (const request of await cache.keys()) await cache.delete(request);
      }),
  };
}
