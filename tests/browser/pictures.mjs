/**
 * Draws the pictures that are part of the repository: icons and samples from scripts/pictures/, and
 * the screenshots of the built page.
 *
 *   node tests/browser/pictures.mjs drawn        www/icons and www/samples
 *   node tests/browser/pictures.mjs screenshots  www/screenshots and docs/screenshot.png, of dist/
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { DIST, openBrowser, openSite } from "./harness.mjs";

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const DRAWN = ["sunflower", "golf-ball", "parachute", "church"];
const SHOWN = ["cat", "cup", "rocket"];
const LABELS = ["cat", "dog", "cup", "banana", "rocket", "church", "sunflower", "bicycle"];

async function drawn() {
  const { page, close } = await openBrowser({ webgpu: false });
  const draw = async (source, size, target, type) => {
    const svg = await readFile(join(ROOT, source), "utf8");
    const base64 = await page.evaluate(
      async ([text, side, mime]) => {
        const image = new Image();
        image.src = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
        await image.decode();
        const canvas = new OffscreenCanvas(side, side);
        canvas.getContext("2d").drawImage(image, 0, 0, side, side);
        const bytes = new Uint8Array(await (await canvas.convertToBlob({ type: mime, quality: 0.88 })).arrayBuffer());
        return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
      },
      [svg, size, type],
    );
    const path = join(ROOT, target);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, Buffer.from(base64, "base64"));
  };
  for (const size of [192, 512]) await draw("www/icon.svg", size, `www/icons/${size}.png`, "image/png");
  await draw("scripts/pictures/maskable.svg", 512, "www/icons/maskable-512.png", "image/png");
  for (const name of DRAWN) await draw(`scripts/pictures/${name}.svg`, 256, `www/samples/${name}.jpg`, "image/jpeg");
  await close();
}

async function screenshots() {
  const site = await openSite({ "": DIST });
  const { page, close } = await openBrowser({ webgpu: true, reducedMotion: "reduce", locale: "en-US", colorScheme: "light" });
  const shoot = async (target, viewport, count, fullPage = false) => {
    await page.setViewportSize(viewport);
    await page.goto(`${site.url}?device=webgpu&labels=${LABELS.map(encodeURIComponent).join()}`);
    await page.waitForSelector("#status[data-state=ready]");
    for (const name of SHOWN.slice(0, count).reverse()) await page.click(`[data-sample="${name}"]`);
    await page.waitForFunction((n) => document.querySelectorAll(".card[data-state=done]").length === n, count);
    // On a phone the map would take the place of the answer.
    if (viewport.width > 600) {
      await page.locator(".card .where").first().click();
      await page.waitForSelector(".heat-map:not([hidden])");
    }
    await page.mouse.move(0, 0);
    await page.evaluate(() => document.activeElement.blur());
    await mkdir(dirname(join(ROOT, target)), { recursive: true });
    await page.screenshot({ path: join(ROOT, target), fullPage });
  };
  await shoot("www/screenshots/wide.png", { width: 1280, height: 800 }, 2);
  await shoot("www/screenshots/narrow.png", { width: 412, height: 824 }, 1);
  await shoot("docs/screenshot.png", { width: 1280, height: 800 }, 3, true);
  await close();
  await site.close();
}

await { drawn, screenshots }[process.argv[2]]?.();
