// What the documents say: the codes, the reference, and README's own snippets, run as written.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { DIST, needsShared, openBrowser, openSite, shared } from "./harness.mjs";
import { checksOf, compatibility, deviceName, RUNS } from "./engines/runs.mjs";
import { PACKAGE_CODES } from "./error-reference.mjs";
import { PAGES } from "./reference.mjs";
import { errorCodes } from "./support.mjs";

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const text = (path) => readFile(join(ROOT, path), "utf8");
const block = (markdown, language, part) =>
  [...markdown.matchAll(/```(\w+)\n([\s\S]*?)```/g)].find(([, name, code]) => name === language && code.includes(part))[2];

test("every error code is explained, and no other", async () => {
  const { engine, own } = await errorCodes(ROOT);
  assert.ok(engine.length > 30);
  assert.deepEqual(own.filter((code) => !engine.includes(code)).sort(), Object.keys(PACKAGE_CODES).sort());
  const explained = [...(await text("docs/reference/errors.md")).matchAll(/^\| `([a-z]+\/[a-z-]+)` \|/gm)].map(([, code]) => code);
  assert.deepEqual(explained.sort(), [...engine, ...Object.keys(PACKAGE_CODES)].sort());
});

for (const [path, written] of Object.entries(PAGES)) {
  test(`${path} is what its sources say`, async () => assert.equal(await text(path), await written()));
}

test("the architecture page lists the folders of the tree", async () => {
  const listing = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", "src", "pkg", "www", "tests", "docs"], { cwd: ROOT, encoding: "utf8" });
  const folders = new Set();
  // A file that was moved and not yet staged is still listed at its old place.
  for (const path of listing.trim().split("\n").filter((path) => existsSync(join(ROOT, path)))) {
    const parts = path.split("/").slice(0, -1);
    for (const depth of [1, 2, 3]) if (parts.length >= depth) folders.add(`${parts.slice(0, depth).join("/")}/`);
  }
  // The crate's own folder is the table of layers.
  folders.delete("src/");
  assert.ok(folders.size > 50);
  const [, section] = /^## Folders\n([\s\S]*?)^## /m.exec(await text("docs/design/architecture.md"));
  const named = [...section.matchAll(/^\| `([^`]+\/)` \| [^|]+ \|$/gm)].map(([, folder]) => folder);
  assert.deepEqual([...named].sort(), [...folders].sort());
});

/** The rows of the tables of RELIABILITY.md: the fault, and the tests as `[file, name]`. */
async function promises() {
  const rows = [...(await text("RELIABILITY.md")).matchAll(/^\| (?!fault|---)(.+?) \| .+ \| (.+) \|$/gm)];
  return rows.map(([, fault, cell]) => {
    const tests = [];
    let file;
    for (const [, part] of cell.matchAll(/`([^`]+)`/g)) {
      if (part.startsWith("tests/")) file = part;
      else if (file) tests.push([file, part]);
    }
    return { fault, cell, tests };
  });
}

test("every test that RELIABILITY.md names exists, and every row names one or says why not", async () => {
  const rows = await promises();
  assert.ok(rows.length > 25);
  const missing = [];
  for (const { fault, cell, tests } of rows) {
    if (tests.length === 0) assert.match(cell, /^no test: /, fault);
    for (const [file, name] of tests) {
      const needle = file.endsWith(".rs") ? `fn ${name}()` : name;
      if (!existsSync(join(ROOT, file)) || !(await text(file)).includes(needle)) missing.push(`${fault}: ${file}, ${name}`);
    }
  }
  assert.deepEqual(missing, []);
});

test("RELIABILITY.md leaves out no fault of the list of neighbors", { skip: needsShared }, async () => {
  const [, section] = /^### E\.2 [^\n]+\n([\s\S]*?)^## /m.exec(await readFile(shared("design/anchors.md"), "utf8"));
  const faults = [...section.matchAll(/^\| ([^|]+) \|/gm)].map(([, fault]) => fault).slice(2);
  assert.ok(faults.length > 25);
  const named = (await promises()).map(({ fault }) => fault);
  assert.deepEqual(faults.filter((fault) => !named.includes(fault)), []);
});

test("the README's table of browsers says what engines.test.mjs runs", async () => {
  const rows = (await compatibility()).map(({ name, device, checks }) => ({ name, device, checks }));
  assert.deepEqual(rows, RUNS.map((run) => ({ name: run.name, device: deviceName(run), checks: checksOf(run) })));
});

test("links between documents lead to a file, and to a heading in it", async () => {
  const listing = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", "*.md"], { cwd: ROOT, encoding: "utf8" });
  const pages = listing.trim().split("\n").filter((path) => existsSync(join(ROOT, path)));
  assert.ok(pages.length > 30);
  const anchor = (heading) => heading.toLowerCase().replace(/[^\p{L}\p{N}_ -]/gu, "").trim().replaceAll(" ", "-");
  const broken = [];
  for (const page of pages) {
    for (const [, link] of (await text(page)).replace(/```[\s\S]*?```/g, "").matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(link)) continue;
      const [path, heading] = link.split("#");
      const target = path ? join(dirname(page), path) : page;
      if (!existsSync(join(ROOT, target))) broken.push(`${page}: ${link}`);
      else if (heading && ![...(await text(target)).matchAll(/^#+ (.+)$/gm)].some(([, found]) => anchor(found) === heading)) broken.push(`${page}: ${link}`);
    }
  }
  assert.deepEqual(broken, []);
});

test("every recipe, score and kernel is offered and described", async () => {
  const registry = async (path, macro) => [...new RegExp(`^${macro}! \\{\\n([^}]*)\\}`, "m").exec(await text(path))[1].matchAll(/\w+/g)].map(([name]) => name);
  const dashed = (names) => names.map((name) => name.replaceAll("_", "-"));
  const recipes = dashed(await registry("src/prompt_learning/recipes/mod.rs", "recipes"));
  const scores = dashed(await registry("src/ood/score/mod.rs", "scores"));
  const kernels = await registry("src/kernels/mod.rs", "operations");
  assert.ok(recipes.length > 10 && scores.length > 5 && kernels.length > 5);
  const methods = await text("docs/reference/methods.md");
  const [fewShot, noneOfThese, types, page] = await Promise.all(["docs/guide/few-shot.md", "docs/guide/none-of-these.md", "pkg/index.d.ts", "www/index.html"].map(text));
  const undescribed = (names, ...texts) => names.filter((name) => texts.some((text) => !text.includes(`\`${name}\``)));
  assert.deepEqual(undescribed(recipes, fewShot, methods), []);
  assert.deepEqual(undescribed(scores, noneOfThese, methods), []);
  const union = (pattern) => pattern.exec(types)[1].split(" | ").map((name) => name.replaceAll('"', ""));
  assert.deepEqual(union(/OodScore = ([^;]+);/), scores);
  assert.deepEqual(union(/\n {2}kernel\?: ([^;]+);/), kernels);
  assert.deepEqual(scores.filter((name) => !page.includes(`<option value="${name}"`)), []);
});

test("the page's cards of the models beside it say what the models' own pages say", async () => {
  for (const model of ["mini", "mini-vit"]) {
    const readme = await text(`www/models/${model}/README.md`);
    for (const code of ["en", "zh"]) {
      const { default: messages } = await import(join(ROOT, `www/i18n/${code}.js`));
      const card = ["what", "seen", "right", "terms", "use", "leaves"].map((part) => messages[`card-of.${model}-${part}`]);
      const numbers = card.flatMap((message) => message.match(/\d+\.\d+( %| MB)?|\d+ x \d+/g) ?? []);
      assert.ok(numbers.length >= 4, `${model} ${code}`);
      assert.deepEqual(numbers.filter((number) => !readme.includes(number)), [], `${model} ${code}`);
    }
  }
});

test("README's snippets work as they are written", { timeout: 900_000 }, async () => {
  const readme = await text("README.md");
  const site = await openSite({ "": DIST });
  const { page, close } = await openBrowser({ webgpu: false });
  try {
    const complaints = [];
    page.on("pageerror", (error) => complaints.push(error.message));
    await writeFile(join(site.folder, "embed.html"), `<!doctype html><title>Embed</title>\n${block(readme, "html", "prompt-lens")}`);
    await page.goto(`${site.url}embed.html`);
    await page.setInputFiles("prompt-lens input[type=file]", join(DIST, "samples/rocket.jpg"));
    await page.waitForFunction(() => document.querySelector("prompt-lens").result !== null);
    assert.equal(await page.locator("prompt-lens li").count(), 4);

    const code = block(readme, "js", "PromptLens.load");
    assert.ok(code.trim().split("\n").length < 10, "a quick start is under ten lines");
    await writeFile(join(site.folder, "ten.js"), `const file = await (await fetch("samples/rocket.jpg")).blob();\n${code}\nwindow.done = [info(lens), image.length, text.length];\nfunction info({ info }) { return info.device.kind; }\n`);
    await writeFile(join(site.folder, "ten.html"), '<!doctype html><title>Ten</title><script type="module" src="ten.js"></script>');
    await page.goto(`${site.url}ten.html`);
    await page.waitForFunction(() => window.done);
    assert.deepEqual(await page.evaluate(() => window.done), ["cpu", 512, 512]);
    assert.deepEqual(complaints, []);
  } finally {
    await close();
    await site.close();
  }
});
