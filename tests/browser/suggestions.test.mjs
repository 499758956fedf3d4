// Which recipe Teach suggests for what the reader has, and how any other is found.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { afterTheIdea, SUGGESTIONS, suggestionsFor } from "../../www/state/suggestions.js";
import { cli, DIST, needsShared, openBrowser, openSite } from "./harness.mjs";
import { bench } from "./kept.mjs";
import { looks } from "./looks.mjs";
import { some } from "./pile.mjs";
import { englishLeft, openPlace } from "./support.mjs";

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const NAMES = ["daisy", "dandelion", "roses", "sunflowers", "tulips"];

/** The rows of a report's tables that begin with a recipe's name or with what was there before it. */
async function numbersOf(report) {
  const lines = (await readFile(join(ROOT, `benches/reports/${report}.md`), "utf8")).split("\n");
  return new Set(lines.filter((line) => line.startsWith("|")).flatMap((line) => line.match(/\d+\.\d+/g) ?? []));
}

test("what a suggestion says was measured stands in its report", async () => {
  for (const { recipe, measured } of SUGGESTIONS) {
    if (!measured) continue;
    const { report, of = "accuracy", figures } = measured;
    const numbers = await numbersOf(report);
    assert.ok(figures.length > 0, recipe);
    for (const { before, after } of figures) {
      for (const value of [before, after]) {
        const written = of === "accuracy" ? (100 * value).toFixed(1) : value.toFixed(3);
        assert.ok(numbers.has(written), `${recipe}: ${written} is not in ${report}`);
      }
    }
  }
});

test("every suggestion and every model has words in every language", async () => {
  for (const code of ["en", "zh"]) {
    const { default: messages } = await import(join(ROOT, `www/i18n/${code}.js`));
    for (const { says, measured } of SUGGESTIONS) {
      assert.ok(messages[`suggest.${says}`], `${code} ${says}`);
      if (measured) assert.ok(messages[`suggest.${measured.model}`], `${code} ${measured.model}`);
    }
  }
});

test("four suggestions at most, none of them after the idea of a paper", () => {
  const recipes = SUGGESTIONS.map(({ recipe }) => ({ name: recipe, paper: "Somebody 2024" }));
  const most = { names: 5, fewest: 6, photos: 40, pairs: 3, rejects: true };
  assert.equal(suggestionsFor(most, recipes).length, 4);
  const [first] = suggestionsFor(most, recipes);
  const unsure = recipes.map((recipe) => (recipe.name === first.recipe ? { ...recipe, paper: "After the idea of Somebody 2024" } : recipe));
  assert.deepEqual(unsure.filter(afterTheIdea).map(({ name }) => name), [first.recipe]);
  assert.ok(!suggestionsFor(most, unsure).includes(first));
  assert.ok(!afterTheIdea({ paper: "after Zhou et al. 2022, CoOp" }), "made after published code");
  const foreign = suggestionsFor({ names: 5, fewest: 3, photos: 0, pairs: 0, rejects: true }, recipes);
  assert.deepEqual(foreign.map(({ recipe }) => recipe), ["kgcoop", "lapt", "locoop", "tip-adapter"]);
  assert.deepEqual(suggestionsFor({ names: 0, fewest: 0, photos: 0, pairs: 0, rejects: false }, recipes), []);
});

describe("suggestions", { skip: needsShared, timeout: 900_000 }, () => {
  let site;
  let session;
  let page;
  let flowers;

  before(async () => {
    site = await openSite({ "": DIST });
    session = await openBrowser({ webgpu: false, reducedMotion: "reduce", acceptDownloads: true });
    page = session.page;
    flowers = await some("flowers", NAMES, 5);
    await bench(page, site.url).open(`?device=cpu&lang=en&labels=${NAMES}#teach`);
    await page.waitForSelector("#teach-suggestions button");
  });
  after(async () => {
    await session?.close();
    await site?.close();
  });

  const text = async (selector) => (await page.textContent(selector)).replace(/[\u2068\u2069]/g, "").replace(/\s+/g, " ").trim();
  const suggested = () => page.locator("#teach-suggestions button").evaluateAll((all) => all.map(({ value }) => value));
  const pressed = () => page.locator("#teach-suggestions [aria-pressed=true]").evaluateAll((all) => all.map(({ value }) => value));
  const learnable = async () => (await page.getAttribute("#teach-start", "aria-disabled")) === "false";
  const waits = (...recipes) => page.waitForFunction((wanted) => [...document.querySelectorAll("#teach-suggestions button")].map(({ value }) => value).join() === wanted, recipes.join());
  const add = async (label, files) => {
    const count = await page.locator(`.class:has-text("${label}") .class-count`).textContent();
    await page.locator(`.class:has-text("${label}") input`).setInputFiles(files);
    await page.waitForFunction(([label, old]) => [...document.querySelectorAll(".class")].find((item) => item.querySelector(".class-name").textContent === label).querySelector(".class-count").textContent !== old, [label, count]);
  };
  const of = (label) => flowers.filter(({ name }) => name.startsWith(label));

  test("names alone can be learned from", async () => {
    assert.deepEqual(await suggested(), ["templates"]);
    assert.deepEqual(await pressed(), ["templates"]);
    assert.equal(await text("#teach-recipe"), "templates");
    assert.ok(await learnable());
    assert.match(await text("#teach-suggestions small"), /^templates, with the built-in model: 84\.0% right before, 84\.8% after on flowers; 76\.0% right before, 75\.0% after on cifar10\.$/);
    await page.focus("#teach-suggestions button");
    await page.keyboard.press("Enter");
    await page.click("#teach-start");
    await page.waitForSelector("#teach-result:not([hidden])");
    assert.match(await text("#teach-report"), /^templates learned from words alone/);
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("#teach-save")]);
    const file = join(site.folder, "templates.safetensors");
    await download.saveAs(file);
    const { metadata } = await cli("inspect", file);
    assert.equal(JSON.parse(metadata.templates).length, 7, "the sentences that the suggestion tells of");
    await page.click("#teach-discard");
  });

  test("a few photos, more photos, and a pile without labels bring others", async () => {
    await page.reload();
    await waits("templates");
    await add("daisy", of("daisy").slice(0, 2));
    await add("roses", of("roses").slice(0, 2));
    await waits("kgcoop", "tip-adapter");
    assert.deepEqual(await pressed(), ["kgcoop"]);
    assert.match(await text("#teach-suggestions li:first-child small"), /^kgcoop, 4 photos of a class, with the built-in model: 84\.0% right before, 84\.5% after on flowers\.$/);
    await add("daisy", of("daisy").slice(2));
    await add("roses", of("roses").slice(2));
    await waits("taskres", "tip-adapter");
    assert.deepEqual(await pressed(), ["taskres"]);
    assert.match(await text("#teach-suggestions li:first-child small"), /84\.0% right before and after on flowers; 76\.0% right before, 76\.3% after on cifar10\.$/);
    await looks(page, "suggestions");

    // By the keyboard, what the reader chooses stays chosen.
    await page.focus("#teach-suggestions button[value=tip-adapter]");
    await page.keyboard.press("Space");
    assert.deepEqual(await pressed(), ["tip-adapter"]);
    assert.equal(await text("#teach-recipe"), "tip-adapter");
    assert.ok(await page.locator("#teach-epochs-field").isHidden());
    await openPlace(page, "look");
    await page.setInputFiles("#files", [...of("sunflowers"), ...of("tulips"), ...of("dandelion")]);
    await page.waitForFunction(() => document.querySelectorAll("#cards .card[data-state=done]").length === 15);
    await openPlace(page, "teach");
    await waits("taskres", "fudd", "tfup", "tip-adapter");
    assert.deepEqual(await pressed(), ["tip-adapter"]);
    await looks(page, "suggestions-most");
  });

  test("pairs that are confused lead to where they are told apart", async () => {
    await page.click("#teach-suggestions button[value=fudd]");
    assert.equal(await page.evaluate(() => document.activeElement.id), "pairs-title");
    assert.equal(await text("#teach-recipe"), "tip-adapter");
    assert.match(await text("#teach-suggestions button[value=fudd] small"), /^fudd, with the built-in model: 84\.0% right before, 56\.8% after on flowers\.$/);
  });

  test("a threshold suggests what learns to reject", async () => {
    await openPlace(page, "check");
    await page.locator("#threshold-slider").evaluate((slider) => {
      slider.value = (Number(slider.min) + Number(slider.max)) / 2;
      for (const type of ["input", "change"]) slider.dispatchEvent(new Event(type, { bubbles: true }));
    });
    await openPlace(page, "teach");
    await waits("taskres", "fudd", "tfup", "lapt");
    // What was chosen is not among them any more, and stays chosen.
    assert.deepEqual(await pressed(), []);
    assert.equal(await text("#teach-recipe"), "tip-adapter");
    assert.match(await text("#teach-suggestions button[value=lapt] small"), /: 0\.956 before, 0\.929 after in telling textures from the classes \(AUROC; 1 is perfect\)\.$/);
    await page.click("#teach-suggestions button[value=lapt]");
    assert.ok(await page.locator("#teach-others").isVisible());
  });

  test("all recipes are behind a disclosure, found by words, and chosen by the keyboard", async () => {
    const shown = () => page.locator("#teach-recipes .recipe:visible").evaluateAll((all) => all.map((item) => item.querySelector("input").value));
    assert.deepEqual(await shown(), []);
    await page.focus("#teach-all summary");
    await page.keyboard.press("Enter");
    const all = await shown();
    assert.ok(all.length >= 16 && all.includes("coop") && !all.includes("fudd"), all.join());
    assert.equal(await text("#teach-all-count"), String(all.length));
    for (const item of await page.locator("#teach-recipes .recipe").all()) {
      assert.match(await item.locator(".recipe-paper").textContent(), /20\d\d/);
      assert.ok((await item.locator(".recipe-summary").textContent()).length > 20);
    }
    const last = (await page.locator("#teach-recipes .recipe-paper").allTextContents()).map((paper) => afterTheIdea({ paper }));
    assert.deepEqual(last, [...last].sort(), "those after the idea of a paper come last");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.id), "teach-find");
    await page.keyboard.type("residual tuning");
    assert.deepEqual(await shown(), ["taskres"]);
    await page.keyboard.press("Tab");
    await page.keyboard.press("Space");
    assert.equal(await text("#teach-recipe"), "taskres");
    assert.equal(await page.locator("#teach-recipes input:checked").inputValue(), "taskres");
    assert.deepEqual(await pressed(), ["taskres"]);
    assert.match(await text("#teach-paper"), /Task Residual/);
    assert.ok(await page.locator("#teach-epochs-field").isVisible());
    await page.fill("#teach-find", "zeppelin");
    assert.deepEqual(await shown(), []);
    assert.equal(await text("#teach-found"), "No recipe and no paper says this.");
    await page.fill("#teach-find", "");
    assert.deepEqual(await shown(), all);
    assert.ok(await page.locator("#teach-found").isHidden());
    // By the pointer, and by arrows as in any group.
    await page.click("#teach-recipes .recipe:has(input[value=coop])");
    assert.equal(await text("#teach-recipe"), "coop");
    await page.keyboard.press("ArrowDown");
    assert.equal(await text("#teach-recipe"), all[all.indexOf("coop") + 1]);
    await looks(page, "recipes");
  });

  test("they are said in Chinese too", async () => {
    await page.selectOption("#language", "zh");
    await page.waitForFunction(() => document.documentElement.lang === "zh-Hans");
    assert.equal(await text("#teach-suggestions-title"), "适合您现有的材料");
    assert.match(await text("#teach-suggestions li:first-child small"), /^taskres，每个类别 16 张照片，内置模型：flowers 上之前和之后都答对 84\.0%；/);
    await page.fill("#teach-find", "文本特征");
    assert.ok((await page.locator("#teach-recipes .recipe:visible").count()) >= 1);
    await page.fill("#teach-find", "");
    assert.deepEqual(await englishLeft(page), []);
    await looks(page, "recipes-zh");
  });
});
