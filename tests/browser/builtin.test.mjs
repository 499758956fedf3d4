// The built-in model: on both devices, what it says of words it never read, its card, and what was
// made with the model before it.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { DIST, openBrowser, openSite, PAGES } from "./harness.mjs";
import { looks } from "./looks.mjs";
import { englishLeft, openPlace } from "./support.mjs";

const MINI = "../models/mini/";
/** A prompt that was learned on the model before. */
const FORMER_PROMPT = join(dirname(fileURLToPath(import.meta.url)), "../prompt_learning/files/coop.safetensors");
const READY = "#status[data-state=ready]";

describe("the built-in model", { timeout: 600_000 }, () => {
  let site;
  let session;
  let page;

  before(async () => {
    site = await openSite({ "": DIST, test: PAGES });
    session = await openBrowser({ webgpu: true, reducedMotion: "reduce" });
    page = session.page;
  });
  after(async () => {
    await session?.close();
    await site?.close();
  });
  const visit = async (query) => {
    await page.goto(`${site.url}${query}`);
    await page.waitForSelector(READY);
  };

  test("WebGPU and the CPU have the same features and maps", async () => {
    await page.goto(`${site.url}test/package.html`);
    const found = await page.evaluate(
      async ([entry, model, samples]) => {
        const { PromptLens } = await import(entry);
        const all = {};
        for (const device of ["cpu", "webgpu"]) {
          const lens = await PromptLens.load({ model, device });
          const classes = await lens.classes(["cat", "cup", "rocket", "dog"]);
          all[device] = { kind: lens.info.device.kind, images: [], maps: [], texts: await lens.embedText(["a photo of a cat.", "a blurry photo of a dog"]) };
          for (const sample of samples) {
            const file = await (await fetch(sample)).blob();
            all[device].images.push(await lens.embedImage(file));
            const { heatmap } = await classes.classify(file, { heatmap: "patches" });
            all[device].maps.push(heatmap.maps.find(({ label }) => label === "cat").values);
          }
          lens.free();
        }
        return all;
      },
      [`${site.url}pkg/index.js`, MINI, ["cat", "cup", "rocket", "church"].map((name) => `${site.url}samples/${name}.jpg`)],
    );
    assert.deepEqual([found.cpu.kind, found.webgpu.kind], ["cpu", "webgpu"]);
    const off = (a, b) => Math.max(...a.map((value, i) => Math.abs(value - b[i]))) / Math.max(...b.map(Math.abs));
    for (const what of ["images", "texts"]) {
      for (const [i, reference] of found.cpu[what].entries()) {
        const distance = off([...Object.values(found.webgpu[what][i])], [...Object.values(reference)]);
        assert.ok(distance < 1e-3, `${what} ${i}: ${distance}`);
      }
    }
    for (const [i, reference] of found.cpu.maps.entries()) {
      assert.equal(reference.length, 25);
      assert.ok(off(found.webgpu.maps[i], reference) < 5e-3, `map ${i}`);
    }
  });

  test("a name with a word that it never read is marked, and one click leads to bigger models", async () => {
    await visit("?device=cpu&lang=en&labels=dog,flurbish,coffee%20cups");
    const marks = page.locator(".chip-unknown:visible");
    await marks.first().waitFor();
    assert.equal(await marks.count(), 1);
    assert.match(await marks.first().getAttribute("aria-label"), /^\W*flurbish\W*: the model never read this word/);
    await looks(page, "unknown-name");
    await marks.first().click();
    await page.waitForSelector("#models[open]");
    await page.waitForFunction(() => document.activeElement.dataset.model?.startsWith("hf:"));
    await page.fill("#name-input", "wug");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.querySelectorAll(".chip-unknown:not([hidden])").length === 2);
  });

  test("a prompt of the model before says so, and that model is one click away", async () => {
    await visit("?device=cpu&lang=en&labels=ship,deer");
    await openPlace(page, "teach");
    await page.setInputFiles("#teach-import", FORMER_PROMPT);
    await page.waitForSelector("#earlier:not([hidden])");
    assert.equal(await page.textContent("#teach-error code"), "prompt/wrong-model");
    assert.match(await page.textContent("#earlier-text"), /learned on another model, \W*mini-vit/);
    await looks(page, "earlier-prompt");
    await page.click("#earlier-use");
    await page.waitForSelector("#teach-result:not([hidden])");
    assert.match(await page.textContent("#models-state"), /^.?promptlens-mini-vit|mini-vit/);
    assert.ok(await page.locator("#earlier").isHidden());
  });

  test("a link that was made with the model before says so; one of today does not", async () => {
    await visit("?device=cpu&lang=en&labels=dog,cat");
    await page.click("[data-sample=cat]");
    await page.waitForSelector(".card[data-state=done]");
    await page.click("#permalink");
    await page.waitForFunction(() => /weights=/.test(location.search));
    const today = new URL(page.url());
    assert.equal(today.searchParams.get("model"), "./models/mini/");
    await visit(today.search);
    assert.ok(await page.locator("#earlier").isHidden());

    today.searchParams.delete("weights");
    await visit(today.search);
    await page.waitForSelector("#earlier:not([hidden])");
    assert.match(await page.textContent("#earlier-text"), /made with another model, \W*mini-vit/);
    await page.selectOption("#language", "zh");
    await page.waitForFunction(() => document.documentElement.lang === "zh-Hans");
    assert.deepEqual(await englishLeft(page), []);
    await page.click("#earlier-close");
    assert.ok(await page.locator("#earlier").isHidden());
  });

  test("its card is a page, with tables, in any width", async () => {
    for (const [model, title] of [["mini", "promptlens-mini: the built-in model"], ["mini-vit", "promptlens-mini-vit"], ["../../nowhere", "promptlens-mini: the built-in model"]]) {
      await page.goto(`${site.url}about.html?model=${encodeURIComponent(model)}`);
      await page.waitForSelector("main:not([aria-busy]) h1");
      assert.ok((await page.textContent("h1")).startsWith(title), await page.textContent("h1"));
      assert.ok((await page.locator("main table").count()) >= 3);
      assert.ok(!/\*\*|^#|\|---/m.test(await page.evaluate(() => document.querySelector("main").innerText)));
    }
    await looks(page, "about");
    // What a card says is text, never markup.
    const shown = await page.evaluate(async (entry) => {
      const { markdown } = await import(entry);
      const box = document.createElement("div");
      box.append(...markdown("# <img src=x onerror=alert(1)>\n\n[go](javascript:alert(1)) and [there](https://example.org/a)", location.href));
      return [box.querySelector("img") === null, [...box.querySelectorAll("a")].map((a) => a.href), box.querySelector("h1").textContent];
    }, `${site.url}ui/markdown.js`);
    assert.deepEqual(shown, [true, ["https://example.org/a"], "<img src=x onerror=alert(1)>"]);
  });

  test("the former model is offered beside it, and never kept for offline use by itself", async () => {
    const worker = await readFile(join(DIST, "sw.js"), "utf8");
    assert.ok(worker.includes("models/mini/README.md") && !worker.includes("models/mini-vit"));
    await visit("?device=cpu&lang=en&labels=dog,cat");
    await page.click("#models > summary");
    await page.locator("#models-list bdi").nth(2).waitFor();
    const rows = await page.locator("#models-list bdi").allTextContents();
    assert.deepEqual(rows.slice(0, 2).map((row) => row.split(",")[0]), ["mini", "mini-vit"]);
  });
});
