// The page's Teach drawer, as a person uses it: folders in, a prompt in use, a file out and in again.
import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { cli, DIST, needsShared, openBrowser, openSite, OUT } from "./harness.mjs";
import { lesson } from "./lesson.mjs";
import { photo } from "./support.mjs";

describe("teach drawer", { skip: needsShared, timeout: 900_000 }, () => {
  let site;
  let session;
  let page;
  let folder;
  let labels;
  let church;

  before(async () => {
    site = await openSite({ "": DIST });
    session = await openBrowser({ webgpu: false, reducedMotion: "reduce", acceptDownloads: true });
    page = session.page;
    folder = join(site.folder, "lesson");
    for (const { name, label, bytes } of await lesson("imagenette", 4)) {
      await mkdir(join(folder, label), { recursive: true });
      await writeFile(join(folder, label, name), bytes);
    }
    const own = (await lesson("imagenette", 1)).map(({ label }) => label);
    labels = [...own].sort();
    await writeFile(join(folder, "church", "broken.jpg"), "no photo");
    await writeFile(join(folder, "church", ".hidden"), "nothing");
    church = { ...(await photo("imagenette", "test/church/")), name: "church.jpg" };
    await page.goto(`${site.url}?device=cpu&lang=en&labels=church,tench`);
    await page.waitForSelector("#status:is([data-state=ready], [data-state=failed])");
    await page.setInputFiles("#files", church);
    await answered();
  });
  after(async () => {
    await session?.close();
    await site?.close();
  });

  const answered = () => page.waitForSelector(".card[data-state=done][aria-busy=false], .card[data-state=done]:not([aria-busy=true])");
  const text = async (selector) => (await page.textContent(selector)).replace(/[\u2068\u2069]/g, "");
  const names = () => page.locator("#chips .chip-name").allTextContents();
  const bars = () => page.locator(".card .bar").evaluateAll((all) => all.map((bar) => bar.textContent.trim()));

  test("folders become classes, and learning shows every step", async () => {
    await page.focus("#teach > summary");
    await page.keyboard.press("Enter");
    assert.equal(await page.getAttribute("#teach-start", "aria-disabled"), "true");
    await page.setInputFiles("#teach-folder", folder);
    await page.waitForFunction((n) => document.querySelectorAll("#teach-classes .chip").length === n, labels.length);
    assert.deepEqual((await names()).sort(), labels);
    assert.equal(await text("#teach-count"), "41 photos, 10 classes.");
    await page.waitForFunction(() => document.querySelectorAll("#teach-recipe option").length >= 14);
    for (const recipe of ["tip-adapter", "coop"]) {
      await page.selectOption("#teach-recipe", recipe);
      assert.match(await text("#teach-paper"), /et al\. 20\d\d/);
      assert.ok((await text("#teach-summary")).length > 20);
    }
    await page.fill("#teach-epochs", "12");
    await page.focus("#teach-start");
    await page.keyboard.press("Enter");
    await page.waitForSelector("#teach-run:not([hidden])");
    assert.equal(await page.evaluate(() => document.activeElement.id), "teach-cancel");
    await page.waitForSelector("#teach-curve polyline.loss[points*=' ']", { state: "attached" });
    await page.waitForSelector("#teach-result:not([hidden])");
    const said = await text("#teach-report");
    assert.match(said, /^coop learned from 40 photos in [\d.]+ s\. On 10 photos that it had not seen: [\d.]+% right before, [\d.]+% after\. 1 could not be used\.$/);
    assert.match(await text("#teach-curve figcaption"), /^Loss \(line\) [\d.]+ → [\d.]+; right answers \(dashes\) \d+%\.$/);
    const rows = await page.locator("#teach-table tr").evaluateAll((all) => all.map((row) => [...row.children].map((cell) => cell.textContent)));
    assert.equal(rows.length, 1);
    assert.equal(rows[0][0], "church.jpg");
    for (const cell of rows[0].slice(1)) assert.match(cell, /^[\w ]+ \d+%$/);
    await page.screenshot({ path: join(OUT, "teach.png"), fullPage: true }).catch(() => {});
  });

  test("the prompt answers for the page, leaves as a file and comes back", async () => {
    await answered();
    const plain = await bars();
    await page.click("#teach-use");
    await page.waitForFunction((old) => {
      const now = [...document.querySelectorAll(".card .bar")].map((bar) => bar.textContent.trim());
      return document.querySelector(".card[data-state=done]") && now.length > 0 && now.join() !== old.join();
    }, plain);
    assert.equal(await text("#teach-state"), "coop in use");
    const taught = await bars();

    const [download] = await Promise.all([page.waitForEvent("download"), page.click("#teach-save")]);
    assert.equal(download.suggestedFilename(), "promptlens-coop.safetensors");
    const file = join(site.folder, "prompt.safetensors");
    await download.saveAs(file);
    const image = join(site.folder, "church.jpg");
    await writeFile(image, church.buffer);
    const common = ["--model", join(DIST, "models/mini"), "--labels", (await names()).join(","), "--prompt", file];
    const { results } = await cli("classify", ...common, image);
    const [best] = results[0].predictions;
    const share = (100 * best.probability).toFixed(1);
    assert.ok(taught[0].includes(best.label) && taught[0].includes(share), `${taught[0]}: ${best.label} ${share}`);

    await page.click("#teach-use");
    await page.waitForFunction((old) => [...document.querySelectorAll(".card .bar")].map((bar) => bar.textContent.trim()).join() === old.join(), plain);
    await page.click("#teach-discard");
    assert.equal(await text("#teach-state"), "nothing learned");
    await page.setInputFiles("#teach-import", file);
    await page.waitForSelector("#teach-result:not([hidden])");
    assert.equal(await text("#teach-report"), "A prompt of coop for 10 classes.");
    await page.click("#teach-use");
    await page.waitForFunction((old) => [...document.querySelectorAll(".card .bar")].map((bar) => bar.textContent.trim()).join() === old.join(), taught);

    const bytes = await readFile(file);
    await page.setInputFiles("#teach-import", { name: "bad.safetensors", mimeType: "application/octet-stream", buffer: bytes.subarray(0, 50) });
    await page.waitForSelector("#teach-error:not([hidden])");
    assert.equal(await text("#teach-error code"), "prompt/invalid");
    assert.equal(await text("#teach-state"), "coop in use");
  });

  test("cancel leaves everything as it was", async () => {
    await page.fill("#teach-epochs", "2000");
    await page.click("#teach-start");
    await page.waitForFunction(() => /step/.test(document.getElementById("teach-stage").textContent));
    const started = Date.now();
    await page.click("#teach-cancel");
    await page.waitForSelector("#teach-start:not([hidden])");
    assert.ok(Date.now() - started < 1000, `${Date.now() - started} ms`);
    assert.equal(await text("#teach-state"), "coop in use");
    assert.equal(await page.evaluate(() => document.activeElement.id), "teach-start");
    // What is in use can still be switched off.
    assert.ok(await page.locator("#teach-use").isVisible());
  });

  test("fits at every width, light and dark", async () => {
    await mkdir(OUT, { recursive: true });
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      for (const width of [360, 1280]) {
        await page.setViewportSize({ width, height: 1400 });
        await page.screenshot({ path: join(OUT, `teach-${colorScheme}-${width}.png`), fullPage: true });
        const excess = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        assert.ok(excess <= 0, `${excess} px too wide at ${width} px`);
      }
    }
  });
});
