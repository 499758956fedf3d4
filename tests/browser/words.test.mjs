// The page's words: complete in every language, and switched without losing anything.
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { DIST, needsShared, openBrowser, openSite } from "./harness.mjs";
import { CHANGES, REASONS, STALE } from "../../www/ui/engine.js";
import { words } from "../../pkg/widget/words.js";
import { englishLeft, errorCodes, photo } from "./support.mjs";

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const WWW = join(ROOT, "www");
/** The engine's own sentences are English; other languages may have theirs for them. */
const ENGINES = /^(error|reason|stale|recipe)\./;

const language = async (code) => (await import(join(WWW, `i18n/${code}.js`))).default;
const variants = (message) => (typeof message === "string" ? [message] : Object.values(message));
const places = (message) => [...new Set(variants(message).flatMap((text) => text.match(/\{\w+\}/g) ?? []))].sort();

test("every language says everything, with the same values", async () => {
  const english = await language("en");
  const codes = (await readdir(join(WWW, "i18n"))).map((name) => name.replace(".js", ""));
  assert.ok(codes.length >= 2);
  for (const code of codes) {
    const all = await language(code);
    const messages = Object.fromEntries(Object.entries(all).filter(([key]) => !ENGINES.test(key)));
    assert.deepEqual(Object.keys(messages).sort(), Object.keys(english).sort(), code);
    for (const [key, message] of Object.entries(messages)) {
      assert.ok(variants(message).every((text) => text.trim() !== ""), `${code} ${key} is empty`);
      // A plural form may leave out its number, as "1 photo" does.
      const missing = places(english[key]).filter((name) => !places(message).includes(name) && name !== "{name}");
      assert.deepEqual(missing, [], `${code} ${key}`);
      const unknown = places(message).filter((name) => !places(english[key]).includes(name));
      assert.deepEqual(unknown, [], `${code} ${key}`);
    }
  }
});

test("every message that the sources name exists", async () => {
  const english = await language("en");
  const scripts = (await readdir(WWW, { recursive: true })).filter((name) => name.endsWith(".js") && !name.startsWith("i18n"));
  const files = scripts.map((name) => join(WWW, name));
  const areas = new Set(Object.keys(english).map((key) => key.split(".")[0]));
  const named = new Set();
  for (const file of files) {
    for (const [, key] of (await readFile(file, "utf8")).matchAll(/"([a-z]+\.[a-z0-9-]+)"/g)) {
      if (areas.has(key.split(".")[0])) named.add(key);
    }
  }
  for (const [, key] of (await readFile(join(WWW, "index.html"), "utf8")).matchAll(/data-t(?:-[a-z-]+)?="([^"]+)"/g)) named.add(key);
  assert.ok(named.size > 100);
  assert.deepEqual([...named].filter((key) => !(key in english)), []);
});

test("what the engine says in English is known, and has words in every other language", async () => {
  const source = async (path) => (await readFile(join(ROOT, path), "utf8")).replace(/\\\n\s+/g, "");
  const all = (text, pattern) => [...text.matchAll(pattern)].map(([, found]) => found);
  const [device, check, key, threshold, probe] = await Promise.all(
    ["src/device/mod.rs", "src/device/self_test.rs", "src/ood/threshold/key.rs", "src/ood/threshold/mod.rs", "pkg/probe.js"].map(source),
  );
  // Natively there is no page to read it.
  const given = all(device, /(?:cpu\(\s*|unwrap_or\(|then\(\|\| |format!\()"([^"{:]+)/g).filter((said) => !said.startsWith("the command line"));
  const reasons = [...given, ...all(probe, /reason: ["`]([^"`(]+[^"`( ])/g), ...all(check, /"(This device[^"(]+[^"( ])/g)];
  assert.deepEqual(reasons.sort(), REASONS.map(([start]) => start).sort());
  assert.deepEqual(all(key, /"(the [^"]+)"/g).sort(), CHANGES.map(([what]) => what).sort());
  assert.match(all(threshold, /"(The threshold does not hold here[^"]+)"/g)[0], STALE);

  const recipes = await Promise.all((await readdir(join(ROOT, "src/prompt_learning/recipes"))).map((file) => source(`src/prompt_learning/recipes/${file}`)));
  const named = recipes.flatMap((text) => all(text, /^ {4}name: "([a-z0-9-]+)",\n(?=(?: {4}.*\n)*? {4}summary:)/gm));
  assert.ok(named.length > 14, named.join());
  const { engine, own } = await errorCodes(ROOT);
  // Where a file of names is wrong, the page says so in its own words.
  const codes = [...engine, ...own].filter((code) => code !== "labels/file");
  const needed = [
    ...REASONS.map(([, word]) => `reason.${word}`),
    ...CHANGES.map(([, word]) => `stale.${word}`),
    ...named.map((name) => `recipe.${name}`),
    ...codes.map((code) => `error.${code}`),
  ];
  for (const file of await readdir(join(WWW, "i18n"))) {
    const code = file.replace(".js", "");
    if (code === "en") continue;
    const messages = await language(code);
    assert.deepEqual(needed.filter((name) => !messages[name]), [], code);
    // The widget is no place for data sets, and does not tell what its reader or its page did.
    const told = codes.filter((problem) => !/^data\/|^calibration\/|^negatives\/|cancelled|freed/.test(problem));
    const { explain } = words(code);
    assert.deepEqual(told.filter((problem) => explain({ code: problem, message: "English" }) === "English"), [], code);
  }
});

describe("words", { skip: needsShared, timeout: 900_000 }, () => {
  let site;
  let session;
  let page;

  before(async () => {
    site = await openSite({ "": DIST });
    session = await openBrowser({ webgpu: false, reducedMotion: "reduce", locale: "en-US" });
    page = session.page;
    await page.goto(`${site.url}?device=cpu&labels=church,dog`);
    await page.waitForSelector("#status[data-state=ready]");
  });
  after(async () => {
    await session?.close();
    await site?.close();
  });

  test("the page without its script says what the English messages say", async () => {
    const differing = await page.evaluate(async () => {
      const { default: messages } = await import("./i18n/en.js");
      const text = await (await fetch("./")).text();
      const found = new DOMParser().parseFromString(text, "text/html");
      const flat = (said) => said.replace(/\s+/g, " ").trim();
      const roots = [found, ...[...found.querySelectorAll("template")].map(({ content }) => content)];
      const wrong = [];
      for (const element of roots.flatMap((root) => [...root.querySelectorAll("*")])) {
        for (const { name, value } of element.attributes) {
          if (!name.startsWith("data-t")) continue;
          if (name !== "data-t") {
            if (name.startsWith("data-t-") && element.getAttribute(name.slice(7)) !== messages[value]) wrong.push(value);
            continue;
          }
          const parts = Object.fromEntries([...element.children].map((child) => [child.dataset.part, child.textContent]));
          const want = messages[value].replace(/\{(\w+)\}/g, (all, part) => parts[part] ?? all);
          if (flat(element.textContent) !== flat(want)) wrong.push(`${value}: ${flat(element.textContent)}`);
        }
      }
      return wrong;
    });
    assert.deepEqual(differing, []);
  });

  test("another language is shown at once, keeps the results, and is remembered", async () => {
    await page.setInputFiles("#files", { ...(await photo("imagenette", "test/church/")), name: "church.jpg" });
    await page.setInputFiles("#files", { name: "words.jpg", mimeType: "image/jpeg", buffer: Buffer.from("no image") });
    await page.waitForSelector(".card[data-state=failed]");
    await page.waitForSelector(".card[data-state=done]");
    const before = await page.locator(".bar-value").allTextContents();
    const zh = await language("zh");
    await page.selectOption("#language", "zh");
    await page.waitForFunction(() => document.documentElement.lang === "zh-Hans");
    assert.equal(await page.textContent("#names-title span"), zh["names.title"]);
    assert.equal(await page.textContent("#tune-state"), zh["tune.off"]);
    assert.equal(await page.getAttribute(".card[data-state=done] .remove", "aria-label"), zh["photos.remove"].replace("{name}", "church.jpg"));
    assert.match(await page.textContent(".card[data-state=done] .ran"), /^在 CPU 上运行/);
    assert.match(await page.textContent("#status-text"), /^已就绪：CPU$/);
    assert.deepEqual(await page.locator(".bar-value").allTextContents(), before);
    assert.equal(await page.inputValue("#template"), "a photo of a {}.");
    await page.evaluate(() => document.querySelectorAll("details").forEach((drawer) => (drawer.open = true)));
    const left = await englishLeft(page);
    assert.deepEqual(left, []);

    await page.reload();
    await page.waitForSelector("#status[data-state=ready]");
    assert.equal(await page.getAttribute("html", "lang"), "zh-Hans");
    assert.equal(await page.inputValue("#language"), "zh");
    await page.selectOption("#language", "en");
    assert.equal(await page.textContent("#tune-state"), "off");
  });
});
