/** Photos, damaged files and class lists that several tests share, and the package inside a page. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { readTar } from "./tar.mjs";
import { shared } from "./harness.mjs";

/** Ten of the built-in model's class names. */
export const LABELS = ["cat", "dog", "church", "French horn", "golf ball", "sunflowers", "parachute", "ship", "chain saw", "horse"];

/** The sentence around them in every comparison. */
export const TEMPLATE = "a photo of a {}.";

/** One photo of a class from a shared archive, for example `photo("imagenette", "test/church/")`. */
export async function photo(archive, prefix) {
  const [file] = await readTar(shared(`data/${archive}.tar.gz`), (name) => name.startsWith(prefix), 1);
  if (!file) throw new Error(`${archive} holds nothing under ${prefix}`);
  return { name: file.name.split("/").at(-1), mimeType: "image/jpeg", buffer: file.bytes };
}

/** Files that must be refused: `[what, bytes, code]`. */
export async function badFiles() {
  const jpeg = (await photo("imagenette", "test/church/")).buffer;
  const png = await readFile(shared("fixtures/mini/00_chain_saw.png"));
  return [
    ["an empty file", Buffer.alloc(0), "image/empty"],
    ["text renamed to .jpg", Buffer.from("these are only words, whatever the name says\n"), "image/unknown-format"],
    ["HTML", Buffer.from("<!doctype html><script>alert(1)</script>"), "image/unknown-format"],
    ["SVG", Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'), "image/unknown-format"],
    ["a JPEG cut in half", jpeg.subarray(0, jpeg.length / 2), "image/truncated"],
    ["a JPEG cut to its first bytes", jpeg.subarray(0, 20), "image/truncated"],
    ["a PNG cut in half", png.subarray(0, png.length / 2), "image/truncated"],
    ["a PNG that claims 30000 x 30000 pixels", hugePng(30000), "image/too-large"],
  ];
}

/** A PNG whose header, with a right checksum, claims `side` x `side` pixels, followed by next to nothing. */
function hugePng(side) {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(side, 0);
  header.writeUInt32BE(side, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([signature, chunk("IHDR", header), chunk("IDAT", Buffer.from([0x78, 0x9c])), chunk("IEND", Buffer.alloc(0))]);
}

function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const check = Buffer.alloc(4);
  check.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, check]);
}

function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}

/**
 * Loads the package into a bare page, as `window.lens`, and resolves to its info. Rejections come
 * back as `{ code, message }`, because an error loses its code on the way out of a page.
 */
export async function loadPackage(page, site, options) {
  await page.goto(`${site}test/package.html`);
  return page.evaluate(
    async ([entry, settings]) => {
      const { PromptLens } = await import(entry);
      const events = [];
      try {
        window.lens = await PromptLens.load({ ...settings, onProgress: (event) => events.push(event) });
        return { info: window.lens.info, events };
      } catch (error) {
        return { code: error.code, message: error.message, name: error.name };
      }
    },
    [`${site}pkg/index.js`, options],
  );
}

/** Several photos of a class from a shared archive. */
export async function photos(archive, prefix, count) {
  const files = await readTar(shared(`data/${archive}.tar.gz`), (name) => name.startsWith(prefix), count);
  if (files.length < count) throw new Error(`${archive} holds ${files.length} files under ${prefix}, not ${count}`);
  return files.map(({ name, bytes }) => ({ name: name.split("/").at(-1), mimeType: "image/jpeg", buffer: bytes }));
}

/** Classifies one file with `window.lens` and the options `how`, in a class list made for it. */
export function classifyInPage(page, labels, bytes, options = {}, how = {}) {
  return page.evaluate(
    async ([names, base64, more, asked]) => {
      const blob = new Blob([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))]);
      let classes;
      try {
        classes = await window.lens.classes(names, more);
        const events = [];
        const result = await classes.classify(blob, { ...asked, onProgress: (event) => events.push(event) });
        return { ...result, info: window.lens.info, events };
      } catch (error) {
        return { code: error.code, message: error.message, name: error.name };
      } finally {
        classes?.free();
      }
    },
    [labels, Buffer.from(bytes).toString("base64"), options, how],
  );
}

/** Asserts that two lists of predictions say the same within `tolerance`, class by class. */
export function comparePredictions(assert, actual, expected, tolerance) {
  assert.equal(actual.length, expected.length);
  const byLabel = new Map(actual.map(({ label, probability }) => [label, probability]));
  for (const { label, probability } of expected) {
    const difference = Math.abs(byLabel.get(label) - probability);
    assert.ok(difference <= tolerance, `${label}: ${byLabel.get(label)} instead of ${probability}`);
  }
}

/**
 * What a page in another language still says in English. Names, units and the file's own words may be
 * in Latin letters; `except` may be English, and so may what was said aloud before the switch.
 */
export function englishLeft(page, except = "#teach-paper, .recipe-paper") {
  return page.evaluate((part) => {
    const english = /\b(the|this|photo|names|off|not|no|add|remove|with|your|show|on|it|was|a|of)\b/i;
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const found = [];
    while (walker.nextNode()) {
      const { parentElement, textContent } = walker.currentNode;
      if (english.test(textContent) && parentElement.checkVisibility() && !parentElement.closest(`${part}, #announcer`)) found.push(textContent.trim());
    }
    return found;
  }, except);
}

/** Shows a place of the page: `look`, `teach` or `check`. @param {import("playwright-core").Page} page */
export const openPlace = (page, place) => page.click(`#tab-${place}`);

/** Chooses a recipe under "All recipes" of Teach. @param {import("playwright-core").Page} page */
export async function chooseRecipe(page, name) {
  if (!(await page.locator("#teach-all").evaluate(({ open }) => open))) await page.click("#teach-all summary");
  await page.check(`#teach-recipes input[value="${name}"]`);
}

/** Every error code that the engine's sources give, and those of JavaScript's own errors. */
export async function errorCodes(root) {
  const engine = [...(await readFile(join(root, "src/error.rs"), "utf8")).matchAll(/=> "([a-z]+\/[a-z-]+)"/g)].map(([, code]) => code);
  const scripts = [];
  for (const folder of ["pkg", "www"]) {
    for (const name of await readdir(join(root, folder), { recursive: true })) {
      // What wasm-bindgen generates lies in pkg/ after a build.
      if (name.endsWith(".js") && name !== "promptlens.js") scripts.push(await readFile(join(root, folder, name), "utf8"));
    }
  }
  const made = /(?:PromptLensError\(|#close\(\s*|code: )"([a-z]+\/[a-z-]+)"/g;
  const own = scripts.flatMap((script) => [...script.matchAll(made)].map(([, code]) => code));
  return { engine, own: [...new Set(own)] };
}
