// Classes that are confused: counted, asked for in a file, told apart by the filled file, from the page alone.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { cli, DIST, needsShared, openBrowser, openSite } from "./harness.mjs";
import { bench } from "./kept.mjs";
import { looks } from "./looks.mjs";
import { some } from "./pile.mjs";
import { englishLeft, openPlace } from "./support.mjs";

const NAMES = ["daisy", "dandelion", "roses", "sunflowers", "tulips"];
/** Photos of each flower in Look. */
const EACH = 3;
const FILE = "confused-pairs.json";

/** What the page counts: the two most likely names of each answer, if the second has a quarter of the first's share. */
function pairsOf(results) {
  const counts = new Map();
  for (const { predictions } of results) {
    const [first, second] = predictions;
    if (second.probability < first.probability / 4) continue;
    const [one, other] = [first.label, second.label].sort((a, b) => NAMES.indexOf(a) - NAMES.indexOf(b));
    counts.set(`${one} and ${other}`, (counts.get(`${one} and ${other}`) ?? 0) + 1);
  }
  return counts;
}

describe("pairs that are confused", { skip: needsShared, timeout: 900_000 }, () => {
  let site;
  let session;
  let page;
  let one;
  let flowers;

  before(async () => {
    site = await openSite({ "": DIST });
    session = await openBrowser({ webgpu: false, reducedMotion: "reduce", acceptDownloads: true });
    page = session.page;
    one = bench(page, site.url);
    flowers = await some("flowers", NAMES, EACH);
    await one.open(`?device=cpu&lang=en&labels=${NAMES}`);
  });
  after(async () => {
    await session?.close();
    await site?.close();
  });

  const text = async (selector) => (await page.textContent(selector)).replace(/[\u2068\u2069]/g, "").replace(/\s+/g, " ").trim();
  const focused = () => page.evaluate(() => document.activeElement.id);
  const done = (count) => page.waitForFunction((n) => document.querySelectorAll("#cards .card[data-state=done]").length === n, count);
  const listed = () => page.locator("#pairs-list li").allTextContents();
  const counted = async () => new Map((await listed()).map((line) => /^(.+): (\d+) photos?$/.exec(line)).map(([, pair, count]) => [pair, Number(count)]));
  const json = (found, name = FILE) => ({ name, mimeType: "application/json", buffer: Buffer.from(typeof found === "string" ? found : JSON.stringify(found)) });
  const entry = (classes, ...texts) => ({ [classes.join("_")]: { classes, prompt_pairs: texts.map((prompt_pair) => ({ prompt_pair })) } });

  async function answers() {
    await openPlace(page, "look");
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("#save-json")]);
    return JSON.parse(await readFile(await download.path(), "utf8")).results;
  }

  test("a pile that is answered shows its pairs, the most frequent first, and Look leads to them", async () => {
    await openPlace(page, "teach");
    assert.equal(await text("#pairs-count"), "Once photos are answered, the pairs of classes that they leave in doubt are listed here.");
    assert.ok(await page.locator("#pairs-save").isHidden());
    assert.ok(await page.locator("#pairs-look").isHidden());
    await openPlace(page, "look");
    await page.setInputFiles("#files", flowers);
    await done(flowers.length);
    await page.waitForSelector("#pile-confused:not([hidden])");
    const expected = pairsOf(await answers());
    assert.ok(expected.size > 0);
    await page.focus("#pile-apart");
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => location.hash), "#teach");
    assert.equal(await focused(), "pairs-title");
    const found = await counted();
    assert.deepEqual(new Map([...found].sort()), new Map([...expected].sort()));
    const order = [...found.values()];
    assert.deepEqual(order, [...order].sort((a, b) => b - a));
    const doubtful = order.reduce((sum, count) => sum + count, 0);
    assert.equal(await text("#pairs-count"), `These are often confused. In ${doubtful} of ${flowers.length} photos the second class gets at least a quarter of the first one’s share.`);
    const [first] = found.keys();
    assert.equal(await text("#pile-confused span"), `Often confused: ${first}.`);
    await looks(page, "pairs");
  });

  test("photos to learn from count once they are looked at, until names change", async () => {
    const before = await counted();
    const more = (await some("flowers", ["daisy", "dandelion"], EACH + 2)).slice(-2 * EACH);
    await page.locator(".class:has-text('dandelion') input").setInputFiles([...more, { name: "broken.jpg", mimeType: "image/jpeg", buffer: Buffer.from("no photo") }]);
    await page.waitForSelector("#pairs-look:not([hidden])");
    assert.equal(await text("#pairs-look"), `Look at the ${more.length + 1} photos to learn from too`);
    await page.focus("#pairs-look");
    await page.keyboard.press("Enter");
    assert.equal(await focused(), "pairs-cancel");
    await page.waitForSelector("#pairs-run", { state: "hidden" });
    assert.equal(await focused(), "pairs-title");
    assert.match(await text("#pairs-count"), new RegExp(` of ${flowers.length + more.length} photos `));
    const after = await counted();
    for (const [pair, count] of before) assert.ok(after.get(pair) >= count, pair);

    // Another list is another question.
    await page.fill("#teach-add-name", "poppies");
    await page.keyboard.press("Enter");
    await openPlace(page, "look");
    await page.waitForFunction(() => document.querySelectorAll("#chips .chip").length === 6);
    await page.waitForFunction(() => document.querySelector("#cards .card[data-state=waiting]"));
    await done(flowers.length);
    await openPlace(page, "teach");
    await page.waitForFunction((n) => document.getElementById("pairs-count").textContent.includes(` of ${n} photos `), flowers.length);
    await openPlace(page, "look");
    await page.click(".chip:last-child .chip-remove");
    await page.waitForFunction(() => document.querySelector("#cards .card[data-state=waiting]"));
    await done(flowers.length);
    await openPlace(page, "teach");
    await page.waitForFunction((line) => document.querySelector("#pairs-list li")?.textContent === line, `${[...before][0][0]}: ${[...before][0][1]} ${[...before][0][1] === 1 ? "photo" : "photos"}`);
    await page.click(".class-remove:visible");
    assert.ok(await page.locator("#pairs-look").isHidden());
  });

  test("stopped half way, looking at photos changes nothing", async () => {
    const said = await text("#pairs-count");
    await page.locator(".class:has-text('roses') input").setInputFiles(flowers);
    await page.evaluate(() => {
      window.stopped = new Promise((seen) => {
        new MutationObserver((_, observer) => {
          if (document.getElementById("pairs-run").hidden) return;
          observer.disconnect();
          document.getElementById("pairs-cancel").click();
          seen(true);
        }).observe(document.getElementById("pairs-run"), { attributes: true });
      });
    });
    await page.click("#pairs-look");
    assert.ok(await page.evaluate(() => window.stopped));
    await page.waitForSelector("#pairs-run", { state: "hidden" });
    assert.equal(await focused(), "pairs-look");
    assert.equal(await text("#pairs-count"), said);
    await page.click(".class-remove:visible");
  });

  let filled;

  test("the file to fill asks for just these pairs", async () => {
    await page.focus("#pairs-save");
    const [download] = await Promise.all([page.waitForEvent("download"), page.keyboard.press("Enter")]);
    assert.equal(download.suggestedFilename(), FILE);
    filled = JSON.parse(await readFile(await download.path(), "utf8"));
    const entries = Object.values(filled);
    assert.deepEqual(new Set(entries.map(({ classes }) => classes.join(" and "))), new Set((await counted()).keys()));
    for (const { prompt_pairs: places } of entries) {
      assert.ok(places.length > 1);
      for (const { prompt_pair } of places) assert.deepEqual(prompt_pair, ["", ""]);
    }
    assert.match(await text("#announcer"), /Saved as confused-pairs\.json\. Fill its empty places/);
  });

  test("the filled file is learned from, answers, is kept, and leaves with the classifier", async () => {
    const plain = await answers();
    await openPlace(page, "teach");
    const [first] = Object.values(filled);
    const [one_, other] = first.classes;
    first.prompt_pairs[0].prompt_pair = [`a photo of a ${one_}, small and white`, `a photo of a ${other}, bright yellow`];
    first.prompt_pairs[1].prompt_pair = [`a photo of a ${one_} in the grass`, `a photo of a ${other} in a vase`];
    filled.unknown = { classes: ["oak", "elm"], prompt_pairs: [{ prompt_pair: ["an oak", "an elm"] }] };
    await page.setInputFiles("#pairs-file", json(filled));
    await page.waitForSelector("#teach-result:not([hidden])");
    assert.ok(await page.locator("#pairs-error").isHidden(), await text("#pairs-error"));
    assert.equal(await focused(), "teach-use");
    assert.match(
      await text("#teach-report"),
      /^fudd learned from words alone, without photos, in [\d.]+ s\. 1 pair of classes has texts\. 1 pair in the file names no two classes of your list and is left out\.$/,
    );
    assert.equal(await page.locator("#teach-table tr").count(), flowers.length);
    assert.equal(await text("#teach-state"), "learned, not in use");
    await page.keyboard.press("Enter");
    assert.equal(await text("#teach-state"), "fudd in use");
    await openPlace(page, "look");
    await done(flowers.length);
    await page.waitForFunction(() => !document.getElementById("save-json").disabled);
    const told = await answers();
    const shares = (results) => results.map(({ file, predictions }) => [file, predictions.map(({ label, probability }) => [label, probability.toFixed(4)])]);
    assert.notDeepEqual(shares(told), shares(plain));

    await openPlace(page, "teach");
    const [saved] = await Promise.all([page.waitForEvent("download"), page.click("#teach-save")]);
    const prompt = join(site.folder, "fudd.safetensors");
    await saved.saveAs(prompt);
    const [shared] = await Promise.all([page.waitForEvent("download"), page.click("#teach-share")]);
    const classifier = join(site.folder, "flowers.promptlens");
    await shared.saveAs(classifier);
    const image = join(site.folder, "flower.jpg");
    await writeFile(image, flowers[0].buffer);
    const own = new Map(told.find(({ file }) => file === flowers[0].name).predictions.map(({ label, probability }) => [label, probability]));
    const model = ["--model", join(DIST, "models/mini")];
    for (const with_ of [["--labels", NAMES.join(","), "--prompt", prompt], ["--classifier", classifier]]) {
      const { results } = await cli("classify", ...model, ...with_, image);
      for (const { label, probability } of results[0].predictions) assert.ok(Math.abs(own.get(label) - probability) < 1e-3, `${with_[0]} ${label}`);
    }

    await one.promptKept(true);
    await one.reload();
    await one.learned(/^fudd in use$/);
  });

  test("a file that says nothing is refused, and what is in use goes on", async () => {
    await openPlace(page, "teach");
    const refused = [
      ["no JSON", json("these are words"), "prompt/invalid", /no JSON/],
      ["no object", json("7"), "prompt/invalid", /no JSON/],
      ["nested without end", json("[".repeat(300_000) + "]".repeat(300_000)), "prompt/invalid", /./],
      ["beyond 4 MB", json(" ".repeat((4 << 20) + 1)), "data/too-large", /at most 4 MB/],
      ["without a second text", json({ "0_1": { classes: [0, 1], prompt_pairs: [{ prompt_pair: ["a"] }] } }), "prompt/invalid", /./],
      ["a list", json("[1, 2]"), "prompt/invalid", /./],
      ["with empty places", json(entry(["daisy", "roses"], ["", ""], ["a white flower", " "])), "data/empty", /No place in this file is filled/],
      ["about other classes", json(entry(["oak", "elm"], ["an oak", "an elm"])), "data/empty", /No place in this file is filled/],
    ];
    for (const [what, file, code, sentence] of refused) {
      await page.setInputFiles("#pairs-file", file);
      await page.waitForSelector("#pairs-error:not([hidden])");
      assert.equal(await text("#pairs-error code"), code, what);
      assert.match(await text("#pairs-error span"), sentence, what);
      assert.equal(await focused(), "pairs-file", what);
      assert.equal(await text("#teach-state"), "fudd in use", what);
      // The next one hides it while it is read.
      await page.evaluate(() => (document.getElementById("pairs-error").hidden = true));
    }
    assert.ok(await page.locator("#teach-error").isHidden());
  });

  test("a filled file may be dropped, and a photo that is dropped there is to learn from", async () => {
    await page.click("#teach-discard");
    assert.equal(await text("#teach-state"), "nothing learned");
    const drop = (name, type, base64) =>
      page.evaluate(
        ([name, type, base64]) => {
          const data = new DataTransfer();
          data.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], name, { type }));
          document.getElementById("pairs-count").dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: data }));
        },
        [name, type, base64],
      );
    await drop(FILE, "application/json", json(filled).buffer.toString("base64"));
    await page.waitForSelector("#teach-result:not([hidden])");
    assert.match(await text("#teach-report"), /^fudd learned from words alone/);
    assert.equal(await text("#teach-count"), "No photos yet.");
    await drop("flower.jpg", "image/jpeg", flowers[0].buffer.toString("base64"));
    await page.waitForFunction(() => document.getElementById("teach-count").textContent.startsWith("1 "));
    await page.click("#teach-discard");
  });

  test("photos of the classes measure what the texts gain, and are not learned from", async () => {
    await page.click(".class-remove:visible");
    for (const label of ["daisy", "roses"]) {
      await page.locator(`.class:has-text("${label}") input`).setInputFiles(flowers.filter(({ name }) => name.startsWith(label)));
    }
    await page.waitForFunction((n) => document.getElementById("teach-count").textContent.startsWith(`${n} `), 2 * EACH);
    await page.selectOption("#teach-check", "leave-one-out");
    await page.setInputFiles("#pairs-file", json(filled));
    await page.waitForSelector("#teach-result:not([hidden])");
    assert.match(
      await text("#teach-report"),
      new RegExp(`^fudd learned from words alone, without photos, in [\\d.]+ s\\. 1 pair .* On ${2 * EACH} photos that it had not seen: [\\d.]+% right before, [\\d.]+% after\\.$`),
    );
    await page.click("#teach-discard");
  });

  test("it is said in Chinese too, and fits at every width", async () => {
    await page.setInputFiles("#files", flowers);
    await openPlace(page, "look");
    await done(flowers.length);
    await page.waitForSelector("#pile-confused:not([hidden])");
    await page.click("#pile-apart");
    await page.selectOption("#language", "zh");
    await page.waitForFunction(() => document.documentElement.lang === "zh-Hans");
    await page.setInputFiles("#pairs-file", json("words"));
    await page.waitForSelector("#pairs-error:not([hidden])");
    assert.match(await text("#pairs-error span"), /不是 JSON/);
    assert.deepEqual(await englishLeft(page), []);
    await looks(page, "pairs-zh");
  });
});
