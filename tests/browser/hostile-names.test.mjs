// Names with HTML, bidi marks and control characters are shown harmlessly everywhere; what leaves the page is
// harmless too; and no address of a blob or of the page is left behind.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { cells, harm, NAMES } from "./harm.mjs";
import { DIST, openBrowser, openSite } from "./harness.mjs";
import { words } from "../../pkg/widget/words.js";
import { toCsv, toJson } from "../../www/ui/export.js";
import { t } from "../../www/ui/i18n.js";

const READY = "#status[data-state=ready]";
/** Cells that a spreadsheet must not run. */
const FORMULAS = ["=1+1", "+1", "-1+2", "@SUM(1)", "\t=1", "\r=1", "\n=1", " =1+1", "＝1+1", "＠SUM(1)", "－1", "＋1", '=cmd|"/C calc"!A0', '","=1+1'];

test("no cell of a CSV is a formula, and all of it is read back", () => {
  const info = { version: "1", model: FORMULAS[0], modelSha256: "", quantization: "q8", device: { kind: "cpu" } };
  for (const text of FORMULAS) {
    const settings = { labels: [text, "b"], template: text, prompt: { recipe: text, sha256: null }, tune: {}, ood: { ood: text }, edits: { struck: [text], added: [] }, info };
    const result = { predictions: [{ label: text, probability: 1 }, { label: "b", probability: 0 }], ood: null, tuning: null };
    const entries = [{ file: text, result }, { file: text, error: { code: text, message: text } }];
    const rows = cells(toCsv(entries, settings));
    assert.equal(rows.length, 3, text);
    assert.deepEqual([...new Set(rows.map(({ length }) => length))].length, 1, text);
    for (const cell of rows.flat()) assert.doesNotMatch(cell, /^\s*[=+\-@＝＋－＠]|^[\t\r\n]/, text);
    assert.ok([text, `'${text}`].includes(rows[1][0]), text);
    assert.equal(JSON.parse(toJson(entries, settings)).settings.template, text);
  }
});

test("marks in a name turn the direction of nothing else in its sentence", () => {
  const { say } = words("en");
  for (const [name, shown] of [
    ["\u202egnp.exe", "\u2068\u202egnp.exe\u2069"],
    ["\u2069\u202egnp", "\u2068\u202egnp\u2069"],
    ["\u2067right", "\u2067right\u2069"],
    ["\u2068\u05d0", "\u2068\u05d0\u2069"],
    ["a\u2069\u2069", "a"],
    ["plain", "plain"],
    // A sentence that holds one stays as it is.
    ["is \u2068\u202egnp\u2069 here", "is \u2068\u202egnp\u2069 here"],
  ]) {
    assert.equal(t("card.problem", { name, message: () => name }), `${shown}: ${shown}`);
    assert.ok(say("answer", { label: name, percent: "5 %" }).includes(shown), name);
  }
});

test("the page and the package treat texts alike: neither can import the other's module in every place", async () => {
  const [page, pkg] = await Promise.all(["www/ui/text.js", "pkg/text.js"].map((path) => readFile(new URL(`../../${path}`, import.meta.url), "utf8")));
  assert.equal(page, pkg);
});

describe("hostile names", { timeout: 900_000 }, () => {
  let site;
  let session;
  let page;
  const trouble = [];

  before(async () => {
    site = await openSite({ "": DIST });
    session = await openBrowser({ webgpu: false, reducedMotion: "reduce", locale: "en-US" });
    page = session.page;
    page.on("pageerror", (error) => trouble.push(String(error)));
    page.on("dialog", (dialog) => trouble.push(dialog.message()));
    await page.addInitScript(() => {
      // Addresses of blobs that nobody has revoked.
      window.live = new Set();
      const { createObjectURL, revokeObjectURL } = URL;
      URL.createObjectURL = (blob) => {
        const address = createObjectURL.call(URL, blob);
        window.live.add(address);
        return address;
      };
      URL.revokeObjectURL = (address) => {
        window.live.delete(address);
        revokeObjectURL.call(URL, address);
      };
    });
    await page.clock.install();
    await page.goto(`${site.url}?device=cpu&lang=en&labels=${encodeURIComponent(JSON.stringify(NAMES))}`);
    await page.waitForSelector(READY);
  });
  after(async () => {
    await session?.close();
    await site?.close();
  });

  test("chips and answers show them as text", async () => {
    const photo = await readFile(join(DIST, "samples/church.jpg"));
    const file = (name) => ({ name, mimeType: "image/jpeg", buffer: photo });
    await page.setInputFiles("#files", [file("<img src=x onerror=window.hit=4>.jpg"), file("\u202egpj.exe"), file("=1+1.jpg"), { ...file("\u2067broken.jpg"), buffer: Buffer.from("x") }]);
    await page.waitForFunction(() => document.querySelectorAll(".card[data-state=done], .card[data-state=failed]").length === 4);
    assert.deepEqual(await page.locator(".chip-name").allTextContents(), NAMES);
    assert.deepEqual(await page.evaluate(harm), []);
    assert.deepEqual(trouble, []);
  });

  test("they leave in files as they are, and the addresses of those files are revoked", async () => {
    const saved = async (button) => {
      const [download] = await Promise.all([page.waitForEvent("download"), page.click(button)]);
      return { name: download.suggestedFilename(), text: await readFile(await download.path(), "utf8") };
    };
    const json = await saved("#save-json");
    assert.equal(json.name, "promptlens.json");
    assert.deepEqual(JSON.parse(json.text).settings.labels, NAMES);
    const csv = await saved("#save-csv");
    assert.equal(csv.name, "promptlens.csv");
    const rows = cells(csv.text);
    assert.deepEqual(rows[0].slice(-NAMES.length), NAMES.map((name) => `p(${name})`));
    for (const cell of rows.flat()) assert.doesNotMatch(cell, /^[=+\-@\t\r\n]/);
    // Previews have let go of theirs; the two files have theirs until the browser has surely begun.
    assert.equal(await page.evaluate(() => window.live.size), 2);
    await page.clock.fastForward(61_000);
    assert.equal(await page.evaluate(() => window.live.size), 0);
    await page.click("#clear");
    assert.equal(await page.evaluate(() => window.live.size), 0);
  });
});
