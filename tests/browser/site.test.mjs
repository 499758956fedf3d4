// The documents as pages of the site: to read without a script, to search and to copy from with one.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { DIST, openBrowser, openSite } from "./harness.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const DOCS = join(DIST, "docs");
const AXE = join(here, "node_modules/axe-core/axe.min.js");

describe("documents of the site", { timeout: 300_000 }, () => {
  let site;
  let pages;

  before(async () => {
    site = await openSite({ "": DIST });
    pages = (await readdir(DOCS, { recursive: true })).filter((name) => name.endsWith(".html")).map((name) => name.replaceAll("\\", "/"));
  });
  after(() => site?.close());

  test("every document and every model card is a page, and every link leads to one", async () => {
    for (const page of ["index.html", "guide/getting-started.html", "guide/pipeline.html", "reference/api.html", "reference/errors.html", "models/mini/index.html", "pkg/index.html", "CHANGELOG.html"]) {
      assert.ok(pages.includes(page), page);
    }
    assert.ok(pages.length > 40);
    const broken = [];
    const texts = new Map(await Promise.all(pages.map(async (page) => [page, await readFile(join(DOCS, page), "utf8")])));
    for (const [page, text] of texts) {
      for (const [, link] of text.matchAll(/ (?:href|src)="([^"]+)"/g)) {
        if (/^https?:/.test(link)) continue;
        const [path, id] = link.split("#");
        const target = path === "" ? page : join(dirname(page), path).replaceAll("\\", "/");
        if (!existsSync(join(DOCS, target))) broken.push(`${page}: ${link}`);
        else if (id && !(texts.get(target) ?? "").includes(` id="${id}"`)) broken.push(`${page}: ${link}`);
      }
    }
    assert.deepEqual(broken, []);
  });

  test("they can be read without a script", async () => {
    const { page, close } = await openBrowser({ webgpu: false, javaScriptEnabled: false });
    try {
      await page.goto(`${site.url}docs/index.html`);
      assert.equal(await page.locator("h1").innerText(), "promptlens");
      await page.getByRole("navigation", { name: "Documents" }).getByRole("link", { name: "Switch from transformers.js" }).click();
      assert.match(page.url(), /docs\/guide\/pipeline\.html$/);
      assert.equal(await page.locator("h1").innerText(), "Switch from transformers.js");
      assert.match(await page.locator("pre").first().innerText(), /import \{ pipeline \} from "promptlens\/pipeline"/);
      assert.ok((await page.locator("td").count()) > 5);
      assert.equal(await page.locator("[role=search], .copy").count(), 0);
    } finally {
      await close();
    }
  });

  test("a word is searched in all of them, and code is copied", async () => {
    const { browser, page, close } = await openBrowser({ webgpu: false });
    const complaints = [];
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("console", (message) => ["error", "warning"].includes(message.type()) && complaints.push(message.text()));
    try {
      await browser.grantPermissions(["clipboard-read", "clipboard-write"]);
      await page.goto(`${site.url}docs/guide/pipeline.html`);
      const search = page.getByRole("searchbox", { name: "Search the documents" });
      await search.fill("hypothesis_template");
      const found = page.getByRole("status").getByRole("link");
      await found.first().waitFor();
      assert.ok((await found.allInnerTexts()).some((text) => text.startsWith("Switch from transformers.js")));
      await search.fill("subresource integrity");
      await page.getByRole("status").getByRole("link", { name: /Subresource integrity/i }).first().click();
      await page.waitForURL(/docs\/guide\/hosting\.html#subresource-integrity$/);
      await page.goto(`${site.url}docs/guide/pipeline.html`);
      await page.getByRole("searchbox").fill("nothing-of-this-word");
      await page.getByText("Nothing found.").waitFor();
      await page.locator(".copy").first().click();
      await page.getByRole("button", { name: "Copied" }).waitFor();
      const copied = await page.evaluate(() => navigator.clipboard.readText());
      assert.equal(copied, (await page.locator("pre").first().innerText()).trimEnd());
      assert.match(copied, /await classify\.dispose\(\);/);
      assert.deepEqual(complaints, []);
    } finally {
      await close();
    }
  });

  test("they fit a phone and a screen, in light and in dark, and axe finds nothing", async () => {
    const { page, close } = await openBrowser({ webgpu: false });
    try {
      for (const path of ["index.html", "reference/api.html", "guide/pipeline.html", "models/mini/index.html"]) {
        // Layout does not depend on colors, nor colors on the width.
        for (const [width, colorScheme] of [[390, "light"], [1280, "dark"]]) {
          await page.setViewportSize({ width, height: 900 });
          await page.emulateMedia({ colorScheme });
          await page.goto(`${site.url}docs/${path}`);
          assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= width, `${path} at ${width}`);
          await page.evaluate(await readFile(AXE, "utf8"));
          const { violations } = await page.evaluate(() => window.axe.run());
          assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`), [], `${path} at ${width}, ${colorScheme}`);
        }
      }
    } finally {
      await close();
    }
  });
});
