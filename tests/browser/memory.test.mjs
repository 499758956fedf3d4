// What is kept of a pile: an answer comes back only for the same photo and the same settings, with the verdict
// of the threshold that holds now, and nothing depends on it.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { DIST, needsShared, openBrowser, openSite } from "./harness.mjs";
import { asked, countCalls, jpeg, NAMES, READY, settled, some } from "./pile.mjs";
import { openPlace } from "./support.mjs";

describe("what is kept of a pile", { skip: needsShared, timeout: 900_000 }, () => {
  let site;
  let session;
  let page;
  let pile;
  const COUNT = 30;

  const open = async (search = `?device=cpu&lang=en&labels=${NAMES.join()}`) => {
    await page.goto(`${site.url}${search}`);
    await page.waitForSelector(READY);
  };
  const choose = async (files = pile) => {
    await page.setInputFiles("#files", files);
    await settled(page, files.length);
  };
  const reload = async () => {
    await page.reload();
    await page.waitForSelector(READY);
    await choose();
  };
  /** The answers without what differs from run to run. */
  const results = async () => {
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("#save-json")]);
    const { results } = JSON.parse(await readFile(await download.path(), "utf8"));
    return results.map(({ timings, ...result }) => result);
  };
  /** Changes settings by `work`, and counts the photos that are answered for them. */
  const answered = async (work) => {
    const before = await asked(page, "classify");
    await page.evaluate(() => {
      window.waited = new Promise((resolve) => {
        new MutationObserver(() => document.querySelector(".tile[data-state=waiting]") && resolve()).observe(document.getElementById("grid"), { subtree: true, attributes: true });
      });
    });
    await work();
    await page.evaluate(() => window.waited);
    await settled(page, COUNT);
    return (await asked(page, "classify")) - before;
  };

  before(async () => {
    site = await openSite({ "": DIST });
    session = await openBrowser({ webgpu: false, locale: "en-US", reducedMotion: "reduce" });
    page = session.page;
    await countCalls(page);
    pile = [...(await some("imagenette", ["church", "parachute"], 12)), ...(await some("textures", ["banded"], 6))];
    assert.equal(pile.length, COUNT);
    await open();
  });
  after(async () => {
    await session?.close();
    await site?.close();
  });

  test("another name or sentence is answered anew, and the former one is not", async () => {
    await choose();
    assert.equal(await asked(page, "classify"), COUNT);
    const first = await results();
    assert.equal(await answered(() => page.locator("#name-input").pressSequentially("tower,")), COUNT);
    const more = await results();
    assert.ok(more.every(({ predictions }) => predictions.length === NAMES.length + 1 && predictions.some(({ label }) => label === "tower")));
    const without = page.locator("#chips .chip", { hasText: "tower" }).locator(".chip-remove");
    assert.equal(await answered(() => without.click()), 0);
    assert.deepEqual(await results(), first);
    assert.equal(await answered(() => page.fill("#template", "a drawing of a {}.")), COUNT);
    assert.notDeepEqual(await results(), first);
    assert.equal(await answered(() => page.fill("#template", "a photo of a {}.")), 0);
    assert.deepEqual(await results(), first);
    // Another score is another answer.
    await openPlace(page, "check");
    assert.equal(await answered(() => page.selectOption("#score", "entropy")), COUNT);
    assert.equal(await answered(() => page.selectOption("#score", "mcm")), 0);
    await openPlace(page, "look");
    assert.deepEqual(await results(), first);
  });

  test("a file of another name with the same content has its answer, and one with other content has not", async () => {
    await page.reload();
    await page.waitForSelector(READY);
    const renamed = pile.map((photo, i) => ({ ...photo, name: `renamed ${i}.jpg` }));
    renamed[3] = jpeg(pile[3].name, Buffer.concat([pile[3].buffer, Buffer.from([0])]));
    await choose(renamed);
    assert.equal(await asked(page, "classify"), 1);
    assert.deepEqual((await results()).slice(0, 2).map(({ file }) => file), ["renamed 0.jpg", "renamed 1.jpg"]);
  });

  test("a threshold that was fitted after the answers judges those that come back", async () => {
    await reload();
    await openPlace(page, "check");
    await page.setInputFiles("#calibrate-files", await some("imagenette", ["church", "parachute"], 20));
    await page.waitForSelector("#calibrate-result:not([hidden])");
    await openPlace(page, "look");
    const judged = await results();
    const outliers = judged.filter(({ ood }) => ood.is_outlier).length;
    assert.ok(outliers > 0 && outliers < COUNT, `${outliers} outliers`);
    await reload();
    // The engine says once what the threshold is.
    assert.ok((await asked(page, "classify")) <= 1);
    assert.deepEqual(await results(), judged);
    await reload();
    assert.equal(await asked(page, "classify"), 0);
    assert.deepEqual(await results(), judged);
  });

  test("records that are damaged are computed anew", async () => {
    const before = await results();
    await page.evaluate(async () => {
      const database = await new Promise((resolve) => {
        const request = indexedDB.open("promptlens-photos");
        request.onsuccess = () => resolve(request.result);
      });
      const records = database.transaction("records", "readwrite").objectStore("records");
      const all = await new Promise((resolve) => {
        const request = records.getAll();
        request.onsuccess = () => resolve(request.result);
      });
      const damage = [() => null, () => "text", (value) => ({ ...value, order: value.order?.map(() => 1e6) }), (value) => ({ ...value, probabilities: [] }), () => ({ order: 3 })];
      const answers = all.filter(({ key }) => key.startsWith("answer"));
      for (const [i, record] of answers.entries()) records.put({ ...record, value: damage[i % damage.length](record.value) });
      await new Promise((resolve) => (records.transaction.oncomplete = resolve));
      database.close();
    });
    await reload();
    assert.equal(await asked(page, "classify"), COUNT);
    assert.deepEqual(await results(), before);
  });

  test("a browser that keeps nothing answers and finds all the same", async () => {
    await page.addInitScript(() => {
      IDBFactory.prototype.open = () => {
        throw new DOMException("no", "SecurityError");
      };
    });
    await reload();
    assert.equal(await asked(page, "classify"), COUNT);
    assert.ok(await page.locator("#pile-kept").isHidden());
    await page.fill("#find-words", "a church");
    await page.click("#find-form button");
    await page.waitForSelector("#pile-shown:not([hidden])");
    assert.equal(await asked(page, "embedImage"), COUNT);
    await page.click("#pile-close");
    assert.equal(await page.evaluate(() => document.activeElement.id), "pile-title");
  });
});
