/** Pictures of a state of the page at two widths, light and dark, and what axe-core finds in it. */
import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { OUT } from "./harness.mjs";

const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/**
 * Fails where the page is wider than the window, or where axe-core finds a violation of any impact.
 *
 * @param {import("playwright-core").Page} page
 * @param {string} name of the pictures
 * @param {object} [how]
 * @param {boolean} [how.fullPage]
 * @param {string} [how.include] the part that axe-core looks at
 * @param {string} [how.top] what stands at the top of a picture that is not of the full page
 * @param {"reduce" | "no-preference"} [how.motion] what the reader asks for
 */
export async function looks(page, name, { fullPage = true, include, top, motion = "reduce" } = {}) {
  await mkdir(OUT, { recursive: true });
  await page.evaluate(AXE);
  const found = [];
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme, reducedMotion: motion });
    for (const width of [360, 1280]) {
      await page.setViewportSize({ width, height: 1000 });
      if (top) await page.evaluate((part) => document.querySelector(part).scrollIntoView(), top);
      // What a change of colour or width asks for is painted a frame later.
      await page.evaluate(() => new Promise((painted) => requestAnimationFrame(() => requestAnimationFrame(painted))));
      await page.screenshot({ path: join(OUT, `${name}-${colorScheme}-${width}.png`), fullPage });
      const excess = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      assert.ok(excess <= 0, `${name}: ${excess} px too wide at ${width} px`);
      const { violations } = await page.evaluate((part) => window.axe.run(part ?? document, { resultTypes: ["violations"] }), include);
      for (const { id, impact, nodes } of violations) {
        found.push(`${colorScheme} ${width} ${impact} ${id}: ${nodes.slice(0, 3).map(({ html, failureSummary }) => `${html.slice(0, 120)} ${failureSummary.slice(0, 200)}`).join(" | ")}`);
      }
    }
  }
  await page.emulateMedia({ colorScheme: "light", reducedMotion: "reduce" });
  await page.setViewportSize({ width: 1280, height: 1000 });
  assert.deepEqual(found, [], name);
}
