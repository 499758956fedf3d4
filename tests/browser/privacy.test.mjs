// Nothing leaves: no request after loading, none to another origin, and no need of the server.
import assert from "node:assert/strict";
import { test } from "node:test";
import { DIST, needsShared, openBrowser, openSite, recordRequests } from "./harness.mjs";
import { photo } from "./support.mjs";

test("classifying makes no request", { skip: needsShared, timeout: 900_000 }, async () => {
  const site = await openSite({ "": DIST });
  const { browser, page, close } = await openBrowser({ webgpu: false });
  try {
    const all = recordRequests(browser);
    // Previews are blobs of the page itself.
    const network = () => all.filter((url) => !url.startsWith("blob:"));
    await page.goto(`${site.url}?device=cpu`);
    await page.waitForSelector("#status[data-state=ready]");
    const loading = network();
    assert.ok(loading.some((url) => url.endsWith("promptlens_bg.wasm")), "the worker's requests are not seen");
    assert.deepEqual(loading.filter((url) => !url.startsWith(site.url)), []);

    // Whatever were fetched from here on would fail.
    await site.close();
    await page.locator("#name-input").pressSequentially("lighthouse,");
    const photos = [await photo("imagenette", "test/church/"), await photo("imagenette", "test/parachute/")];
    await page.setInputFiles("#files", photos);
    await page.waitForFunction(() => document.querySelectorAll(".card[data-state=done]").length === 2);
    assert.deepEqual(network().slice(loading.length), []);
  } finally {
    await close();
    await site.close().catch(() => {});
  }
});
