/** A pile of photos to sort, and what tests of it do with a page. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { DIST, shared } from "./harness.mjs";
import { readTar } from "./tar.mjs";

export const READY = "#status[data-state=ready]";

/** Class names that fit most photos of the pile. */
export const NAMES = ["church", "parachute", "golf ball", "French horn", "chain saw", "garbage truck"];

export const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

/** As many different test photos of these folders of an archive. */
export async function some(archive, folders, each) {
  const taken = new Map(folders.map((folder) => [folder, 0]));
  const total = folders.length * each;
  const files = await readTar(
    shared(`data/${archive}.tar.gz`),
    (name) => {
      const [split, folder] = name.split("/").slice(-3);
      if (split !== "test" || !taken.has(folder)) return false;
      // A name may be asked about again while its file is read.
      taken.set(name, (taken.get(name) ?? 0) + 1);
      if (taken.get(name) === 1) taken.set(folder, taken.get(folder) + 1);
      return taken.get(folder) <= each || taken.get(name) > 1;
    },
    total,
  );
  return files.slice(0, total).map(({ name, bytes }) => jpeg(`${name.split("/").at(-2)} ${name.split("/").at(-1)}`, bytes));
}

/** Photos of `imagenet1000` whose short side is 200 pixels or more: the smaller ones lose too much in a copy. */
export async function large(page, count) {
  const files = await readTar(shared("data/imagenet1000.tar.gz"), () => true, 40 * count);
  const found = [];
  for (const { name, bytes } of files) {
    const side = await page.evaluate(async (base64) => {
      const { width, height } = await createImageBitmap(new Blob([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))]));
      return Math.min(width, height);
    }, bytes.toString("base64"));
    if (side >= 200) found.push(jpeg(`large ${name.split("/").at(-2)}.jpg`, bytes));
    if (found.length === count) return found;
  }
  throw new Error(`there are only ${found.length} large photos`);
}

export const jpeg = (name, buffer) => ({ name, mimeType: "image/jpeg", buffer });

export const sample = async (name) => readFile(join(DIST, `samples/${name}.jpg`));

/**
 * A changed copy of a JPEG, made by the browser.
 *
 * @param {import("playwright-core").Page} page
 * @param {Buffer} bytes
 * @param {{scale?: number, quality?: number, crop?: number, light?: number}} how `crop`: the share of each side that stays
 */
export async function changed(page, bytes, { scale = 1, quality = 0.9, crop = 1, light = 1 }) {
  const text = await page.evaluate(
    async ([base64, scale, quality, crop, light]) => {
      const blob = new Blob([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))]);
      const bitmap = await createImageBitmap(blob);
      const [width, height] = [bitmap.width * crop, bitmap.height * crop];
      const canvas = new OffscreenCanvas(Math.round(width * scale), Math.round(height * scale));
      const context = canvas.getContext("2d");
      context.filter = `brightness(${light})`;
      const [left, top] = [(bitmap.width - width) / 2, (bitmap.height - height) / 2];
      context.drawImage(bitmap, left, top, width, height, 0, 0, canvas.width, canvas.height);
      const made = await canvas.convertToBlob({ type: "image/jpeg", quality });
      const all = new Uint8Array(await made.arrayBuffer());
      let binary = "";
      for (const byte of all) binary += String.fromCharCode(byte);
      return btoa(binary);
    },
    [bytes.toString("base64"), scale, quality, crop, light],
  );
  return Buffer.from(text, "base64");
}

/** Before each document: counts what the page asks its engine for, by operation, as `window.asked`. */
export const countCalls = (page) =>
  page.addInitScript(() => {
    window.asked = {};
    const { postMessage } = Worker.prototype;
    Worker.prototype.postMessage = function (message, ...more) {
      if (message?.op) window.asked[message.op] = (window.asked[message.op] ?? 0) + 1;
      return postMessage.call(this, message, ...more);
    };
  });

export const asked = (page, op) => page.evaluate((name) => window.asked[name] ?? 0, op);

/** Resolves once this holds in the page, however long it takes. */
export async function until(holds) {
  while (!(await holds())) await setTimeout(100);
}

/** Resolves once every photo has an answer or an error. */
export const settled = (page, count) =>
  page.waitForFunction(
    (n) =>
      document.getElementById("results-count").textContent === String(n) &&
      document.getElementById("run-text").textContent === "" &&
      document.getElementById("run-button").hidden &&
      // While a reader types, photos wait for the names.
      !document.querySelector(":is(.tile, .card)[data-state=waiting]"),
    count,
  );

/** The tiles of what was found, in their order: `{name, label, mark, group}`. */
export const found = (page) =>
  page.locator("#pile-grid .tile").evaluateAll((all) =>
    all
      .sort((a, b) => a.ariaPosInSet - b.ariaPosInSet)
      .map((tile) => ({
        name: tile.querySelector("button").ariaLabel.replace(/^Group \d+, [^:]+: |, [^,]+, place \d+$/g, ""),
        label: tile.querySelector(".tile-label").textContent.trim(),
        mark: tile.querySelector(".tile-share").textContent,
      })),
  );

/** Every file under a folder of the page's private file system: path -> SHA-256. */
export const filesUnder = (page, folder) =>
  page.evaluate(async (name) => {
    const root = await (await navigator.storage.getDirectory()).getDirectoryHandle(name);
    const all = {};
    const walk = async (place, path) => {
      for await (const [name, handle] of place.entries()) {
        if (handle.kind === "directory") {
          await walk(handle, `${path}${name}/`);
          continue;
        }
        const hash = await crypto.subtle.digest("SHA-256", await (await handle.getFile()).arrayBuffer());
        all[path + name] = Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, "0")).join("");
      }
    };
    await walk(root, "");
    return all;
  }, folder);
