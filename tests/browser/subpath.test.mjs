// The site works from any folder of any host.
import assert from "node:assert/strict";
import { test } from "node:test";
import { DIST, needsShared, openBrowser, openSite, recordRequests } from "./harness.mjs";
import { photo } from "./support.mjs";

test("the site works under a sub-path", { skip: needsShared, timeout: 900_000 }, async () => {
  const site = await openSite({ "": DIST }, { base: "/some/sub/path/" });
  const { browser, page, close } = await openBrowser({ webgpu: false });
  try {
    const requests = recordRequests(browser);
    const complaints = [];
    page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(error.message));
    await page.goto(`${site.url}?device=cpu&labels=church,parachute,golf%20ball`);
    await page.waitForSelector("#status[data-state=ready]");
    assert.deepEqual(await page.locator(".chip-name").allTextContents(), ["church", "parachute", "golf ball"]);
    await page.setInputFiles("#files", await photo("imagenette", "test/church/"));
    await page.waitForSelector(".card[data-state=done]");
    const outside = requests.filter((url) => !url.startsWith(site.url) && !url.startsWith("blob:"));
    assert.deepEqual(outside, []);
    assert.deepEqual(complaints, []);
  } finally {
    await close();
    await site.close();
  }
});
