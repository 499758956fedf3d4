// Teach, a place of the page, as a person uses it: folders in, a prompt in use, a file out and in again.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { cli, DIST, needsShared, openBrowser, openSite } from "./harness.mjs";
import { looks } from "./looks.mjs";
import { lesson } from "./lesson.mjs";
import { chooseRecipe, openPlace, photo, photos } from "./support.mjs";
import { tarOf } from "./tar.mjs";
import { assertResponsive, watchTasks } from "./tasks.mjs";

describe("teach", { skip: needsShared, timeout: 900_000 }, () => {
  let site;
  let session;
  let page;
  let folder;
  let labels;
  let unsure;

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
    // A tench that the model is not sure of: a prompt learned in few steps changes the figures shown.
    unsure = { ...(await photo("imagenette", "test/tench/")), name: "unsure.jpg" };
    await page.goto(`${site.url}?device=cpu&lang=en&labels=church,tench`);
    await page.waitForSelector("#status:is([data-state=ready], [data-state=failed])");
    await page.setInputFiles("#files", unsure);
    await answered();
  });
  after(async () => {
    await session?.close();
    await site?.close();
  });

  const answered = () => page.waitForSelector(".card[data-state=done][aria-busy=false], .card[data-state=done]:not([aria-busy=true])", { state: "attached" });
  const text = async (selector) => (await page.textContent(selector)).replace(/[\u2068\u2069]/g, "");
  const names = () => page.locator("#chips .chip-name").allTextContents();
  const bars = () => page.locator(".card .bar").evaluateAll((all) => all.map((bar) => bar.textContent.trim()));

  test("folders become classes, and learning shows every step", async () => {
    await page.focus("#tab-look");
    await page.keyboard.press("ArrowRight");
    await chooseRecipe(page, "coop");
    assert.equal(await page.getAttribute("#teach-start", "aria-disabled"), "true");
    await page.setInputFiles("#teach-folder", folder);
    await page.waitForFunction((n) => document.querySelectorAll("#teach-classes [data-taught]").length === n, labels.length);
    assert.deepEqual((await names()).sort(), labels);
    assert.equal(await text("#teach-count"), "41 photos, 10 classes.");
    await page.waitForFunction(() => document.querySelectorAll("#teach-recipes input").length >= 14);
    for (const recipe of ["tip-adapter", "coop-snapshots"]) {
      await chooseRecipe(page, recipe);
      assert.match(await text("#teach-paper"), /et al\. 20\d\d/);
      assert.ok((await text("#teach-summary")).length > 20);
    }
    await page.fill("#teach-epochs", "12");
    await watchTasks(page);
    await page.focus("#teach-start");
    await page.keyboard.press("Enter");
    await page.waitForSelector("#teach-run:not([hidden])");
    assert.equal(await page.evaluate(() => document.activeElement.id), "teach-cancel");
    await page.waitForSelector("#teach-curve polyline.loss[points*=' ']", { state: "attached" });
    await page.waitForSelector("#teach-result:not([hidden])");
    await assertResponsive(page, "teaching");
    const said = await text("#teach-report");
    assert.match(said, /^coop-snapshots learned from 40 photos in [\d.]+ s\. On 10 photos that it had not seen: [\d.]+% right before, [\d.]+% after\. 1 could not be used\.$/);
    assert.match(await text("#teach-curve figcaption"), /^Loss \(line\) [\d.]+ to [\d.]+; right answers \(dashes\) \d+%\.$/);
    const rows = await page.locator("#teach-table tr").evaluateAll((all) => all.map((row) => [...row.children].map((cell) => cell.textContent)));
    assert.equal(rows.length, 1);
    assert.equal(rows[0][0], "unsure.jpg");
    for (const cell of rows[0].slice(1)) assert.match(cell, /^[\w ]+ \d+%$/);
  });

  test("the prompt answers for the page, leaves as a file and comes back", async () => {
    await answered();
    const plain = await bars();
    await page.click("#teach-use");
    await page.waitForFunction((old) => {
      const now = [...document.querySelectorAll(".card .bar")].map((bar) => bar.textContent.trim());
      return document.querySelector(".card[data-state=done]") && now.length > 0 && now.join() !== old.join();
    }, plain);
    assert.equal(await text("#teach-state"), "coop-snapshots in use");
    const taught = await bars();

    const [download] = await Promise.all([page.waitForEvent("download"), page.click("#teach-save")]);
    assert.equal(download.suggestedFilename(), "promptlens-coop-snapshots.safetensors");
    const file = join(site.folder, "prompt.safetensors");
    await download.saveAs(file);

    // Exports and links say what answered: an export names the prompt, a link says that it has none.
    const sha256 = createHash("sha256").update(await readFile(file)).digest("hex");
    await openPlace(page, "look");
    const [saved] = await Promise.all([page.waitForEvent("download"), page.click("#save-json")]);
    const { settings } = JSON.parse(await readFile(await saved.path(), "utf8"));
    assert.deepEqual([settings.prompt, settings.struck, settings.added], [{ recipe: "coop-snapshots", sha256 }, [], []]);
    const [table] = await Promise.all([page.waitForEvent("download"), page.click("#save-csv")]);
    const [head, row] = (await readFile(await table.path(), "utf8")).split("\r\n");
    assert.match(head, /,template,prompt,.*,struck,added,/);
    assert.ok(row.includes(`,"{""recipe"":""coop-snapshots"",""sha256"":""${sha256}""}",`), row);
    await page.click("#permalink");
    await page.waitForFunction(() => / The learned prompt is not in it/.test(document.getElementById("announcer").textContent));
    await page.selectOption("#language", "zh");
    await page.waitForFunction(() => document.documentElement.lang === "zh-Hans");
    await page.click("#permalink");
    await page.waitForFunction(() => /链接不含学得的提示/.test(document.getElementById("announcer").textContent));
    await page.selectOption("#language", "en");
    await page.waitForFunction(() => document.documentElement.lang === "en");
    const image = join(site.folder, "unsure.jpg");
    await writeFile(image, unsure.buffer);
    const common = ["--model", join(DIST, "models/mini"), "--labels", (await names()).join(","), "--prompt", file];
    const { results } = await cli("classify", ...common, image);
    const [best] = results[0].predictions;
    const share = (100 * best.probability).toFixed(1);
    assert.ok(taught[0].includes(best.label) && taught[0].includes(share), `${taught[0]}: ${best.label} ${share}`);

    await openPlace(page, "teach");
    await page.click("#teach-use");
    await page.waitForFunction((old) => [...document.querySelectorAll(".card .bar")].map((bar) => bar.textContent.trim()).join() === old.join(), plain);
    await openPlace(page, "look");
    await page.click("#permalink");
    await page.waitForFunction(() => document.getElementById("announcer").textContent.endsWith("It holds no photo.") || document.getElementById("announcer").textContent.endsWith("in the address bar."));
    await openPlace(page, "teach");
    await page.click("#teach-discard");
    assert.equal(await text("#teach-state"), "nothing learned");
    await page.setInputFiles("#teach-import", file);
    await page.waitForSelector("#teach-result:not([hidden])");
    assert.equal(await text("#teach-report"), "A prompt of coop-snapshots for 10 classes.");
    await page.click("#teach-use");
    await page.waitForFunction((old) => [...document.querySelectorAll(".card .bar")].map((bar) => bar.textContent.trim()).join() === old.join(), taught);

    const bytes = await readFile(file);
    await page.setInputFiles("#teach-import", { name: "bad.safetensors", mimeType: "application/octet-stream", buffer: bytes.subarray(0, 50) });
    await page.waitForSelector("#teach-error:not([hidden])");
    assert.equal(await text("#teach-error code"), "prompt/invalid");
    assert.equal(await text("#teach-state"), "coop-snapshots in use");
  });

  test("cancel leaves everything as it was", async () => {
    await page.fill("#teach-epochs", "2000");
    await page.click("#teach-start");
    await page.waitForFunction(() => /step/.test(document.getElementById("teach-stage").textContent));
    await looks(page, "teaching");
    assert.ok(await page.locator("#teach-run").isVisible(), "it had learned before its pictures were taken");
    await page.click("#teach-cancel");
    await page.waitForSelector("#teach-start:not([hidden])");
    assert.equal(await text("#teach-state"), "coop-snapshots in use");
    assert.ok(await page.locator("#teach-curve").isHidden());
    assert.equal(await page.evaluate(() => document.activeElement.id), "teach-start");
    // What is in use can still be switched off.
    assert.ok(await page.locator("#teach-use").isVisible());
  });

  test("LAPT learns from photos of none of the classes, and its score then rejects", async () => {
    assert.ok(await page.locator("#teach-others").isHidden());
    await chooseRecipe(page, "lapt");
    assert.equal(await text("#teach-others-count"), "None yet.");
    const bands = await photos("textures", "test/banded/", 4);
    await page.setInputFiles("#teach-others-files", bands.slice(0, 2));
    await page.waitForFunction(() => document.getElementById("teach-others-count").textContent.startsWith("2 "));
    // More of them by a drop, which the photos' own drop zone must not take.
    await page.evaluate((files) => {
      const data = new DataTransfer();
      for (const { name, base64 } of files) data.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], name, { type: "image/jpeg" }));
      document.getElementById("teach-others").dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: data }));
    }, [...bands.slice(2).map(({ name, buffer }) => ({ name, base64: buffer.toString("base64") })), { name: "broken.jpg", base64: "AAAA" }]);
    await page.waitForFunction(() => document.getElementById("teach-others-count").textContent.startsWith("5 "));
    assert.equal(await page.locator(".card").count(), 1);
    await looks(page, "lapt");

    // Words of one's own: finding them among thousands has its test elsewhere.
    const words = ["gravel", "soup", "hat"];
    await page.setInputFiles("#negatives-file", { name: "words.txt", mimeType: "text/plain", buffer: Buffer.from(words.join("\n")) });
    await page.waitForFunction(() => /^3 /.test(document.getElementById("negatives-count").textContent));
    await page.fill("#teach-epochs", "2");
    await page.selectOption("#teach-check", "none");
    const before = await text("#teach-report");
    await page.click("#teach-start");
    await page.waitForFunction((old) => {
      const [result, report, error] = ["result", "report", "error"].map((part) => document.getElementById(`teach-${part}`));
      return !error.hidden || (!result.hidden && report.textContent !== old);
    }, before);
    assert.ok(await page.locator("#teach-error").isHidden(), await text("#teach-error"));
    assert.match(await text("#teach-report"), /^lapt learned from 40 photos in [\d.]+ s\. 4 more show none of the classes\. 2 could not be used\.$/);
    if (await page.locator("#teach-use[aria-pressed=false]").isVisible()) await page.click("#teach-use");
    assert.equal(await text("#teach-state"), "lapt in use");
    await page.click("#teach-score");
    assert.ok(await page.locator("#teach-scoring").isHidden());
    assert.equal(await page.inputValue("#score"), "lapt");
    await openPlace(page, "check");
    await page.waitForFunction(() => /^lapt/.test(document.querySelector(".card[data-state=done] .gauge")?.ariaLabel ?? ""));
    const hint = await text(".card .negatives");
    assert.match(hint, /^Other words nearest to it: /);
    assert.deepEqual(hint.replace(/^.*: /, "").split(", ").sort(), [...words].sort());
    await looks(page, "lapt-used");
    await openPlace(page, "teach");

    await page.click("#teach-others-clear");
    assert.equal(await text("#teach-others-count"), "None yet.");
    await chooseRecipe(page, "coop-snapshots");
    assert.ok(await page.locator("#teach-others").isHidden());
    await page.click("#teach-discard");
    await openPlace(page, "check");
    await page.selectOption("#score", "mcm");
    await openPlace(page, "teach");
    await answered();
  });

  test("the model finds the class of photos without a folder, those of an archive too", async () => {
    const removers = page.locator("#teach-classes .class-remove:visible");
    while ((await removers.count()) > 0) await removers.first().click();
    await page.selectOption("#teach-class", "");
    await chooseRecipe(page, "lapt");
    const pile = [...(await photos("imagenette", "test/church/", 3)), ...(await photos("textures", "test/banded/", 3))];
    await page.setInputFiles("#teach-files", [...pile, { name: "broken.jpg", mimeType: "image/jpeg", buffer: Buffer.from("no photo") }]);
    await page.waitForSelector("#teach-run:not([hidden])");
    await page.waitForSelector("#teach-run", { state: "hidden" });
    assert.ok(await page.locator("#teach-error").isHidden(), await text("#teach-error"));
    const numbers = async () => {
      const own = (await text("#teach-count")).startsWith("No") ? 0 : parseInt(await text("#teach-count"), 10);
      const others = (await text("#teach-others-count")).startsWith("None") ? 0 : parseInt(await text("#teach-others-count"), 10);
      return [own, others];
    };
    const [own, others] = await numbers();
    assert.equal(own + others, 6, "every photo went to a class or to none");
    assert.match(await text("#announcer"), /photos added to their classes; \d+ show none of them; 1 left out\./);

    await page.setInputFiles("#teach-files", { name: "pile.tar", mimeType: "application/x-tar", buffer: tarOf({ "pile/church/a.jpg": pile[0].buffer, "pile/tench/b.jpg": pile[1].buffer, "pile/tench/notes.txt": Buffer.from("words") }) });
    await page.waitForFunction((n) => document.getElementById("teach-count").textContent.startsWith(`${n} `), own + 2);
    assert.equal((await numbers())[1], others);

    // Stopped half way, nothing of it is there.
    // A few photos may be sorted before a hand is there.
    await page.evaluate(() => {
      window.stopped = new Promise((seen) => {
        new MutationObserver((_, observer) => {
          if (document.getElementById("teach-run").hidden) return;
          observer.disconnect();
          document.getElementById("teach-cancel").click();
          seen(true);
        }).observe(document.getElementById("teach-run"), { attributes: true });
      });
    });
    await page.setInputFiles("#teach-files", pile);
    assert.ok(await page.evaluate(() => window.stopped));
    await page.waitForSelector("#teach-run", { state: "hidden" });
    assert.deepEqual(await numbers(), [own + 2, others]);
    await page.selectOption("#teach-class", "church");
  });

  test("fits at every width, light and dark", async () => {
    await looks(page, "teach");
  });
});
