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

test("addresses are no images: nothing is fetched for them", { timeout: 600_000 }, async () => {
  const site = await openSite({ "": DIST });
  const { browser, page, close } = await openBrowser({ webgpu: false });
  try {
    await page.goto(`${site.url}?device=cpu&labels=cat,dog`);
    await page.waitForSelector("#status[data-state=ready]");
    const address = `${site.url}samples/cat.jpg?address`;
    const all = recordRequests(browser);
    const codes = await page.evaluate(async (url) => {
      const { PromptLens } = await import("./pkg/index.js");
      await import("./pkg/element.js");
      const widget = document.createElement("prompt-lens");
      Object.assign(widget, { labels: ["cat", "dog"], device: "cpu" });
      document.body.append(widget);
      const lens = await PromptLens.load({ model: "./models/mini/", device: "cpu" });
      const classes = await lens.classes(["cat", "dog"]);
      const calls = [url, new URL(url), { src: url }].flatMap((image) => [() => classes.classify(image), () => lens.embedImage(image), () => widget.classify(image)]);
      const found = [];
      for (const call of calls) found.push(await Promise.resolve().then(call).then(() => "answered", ({ code }) => code));
      lens.free();
      widget.remove();
      // A picture dragged from another page is an address too.
      const transfer = new DataTransfer();
      transfer.setData("text/uri-list", url);
      transfer.setData("text/html", `<img src="${url}">`);
      document.body.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: transfer }));
      return found;
    }, address);
    assert.deepEqual([...new Set(codes)], ["options/invalid"]);
    assert.equal(await page.locator(".card").count(), 0);
    assert.deepEqual(all.filter((url) => url.includes("?address")), []);
  } finally {
    await close();
    await site.close();
  }
});
