/** A film for Chromium's fake camera: a frame of colour before each class, then its photos. */
import { writeFile } from "node:fs/promises";

/** Chromium shows so many frames of such a file per second, and begins again at its end. */
const RATE = 30;
const SIZE = { width: 320, height: 240 };

/**
 * Writes a film: JPEG files, one after the other.
 *
 * @param {import("playwright-core").Page} page draws the frames
 * @param {string} path
 * @param {{color: string, photos: {buffer: Buffer}[], seconds: number}[]} scenes
 */
export async function writeFilm(page, path, scenes) {
  const film = [];
  for (const { color, photos, seconds } of scenes) {
    const jpegs = await page.evaluate(
      async ([color, files, { width, height }]) => {
        const canvas = Object.assign(document.createElement("canvas"), { width, height });
        const context = canvas.getContext("2d");
        const jpeg = () => canvas.toDataURL("image/jpeg", 0.9).split(",")[1];
        context.fillStyle = color;
        context.fillRect(0, 0, width, height);
        const all = [jpeg()];
        for (const file of files) {
          const bitmap = await createImageBitmap(new Blob([Uint8Array.from(atob(file), (c) => c.charCodeAt(0))]));
          const scale = Math.max(width / bitmap.width, height / bitmap.height);
          const [w, h] = [bitmap.width * scale, bitmap.height * scale];
          context.drawImage(bitmap, (width - w) / 2, (height - h) / 2, w, h);
          all.push(jpeg());
        }
        return all;
      },
      [color, photos.map(({ buffer }) => buffer.toString("base64")), SIZE],
    );
    const [marker, ...shown] = jpegs.map((text) => Buffer.from(text, "base64"));
    film.push(...Array(RATE).fill(marker));
    const each = Math.round((seconds * RATE) / shown.length);
    for (const frame of shown) film.push(...Array(each).fill(frame));
  }
  await writeFile(path, Buffer.concat(film));
}

/** Waits until the video shows the colour, then until it does not any more: what comes then is of its class. */
export function sceneBegins(page, video, color) {
  return page.evaluate(
    ([selector, wanted]) =>
      new Promise((begun) => {
        const canvas = Object.assign(document.createElement("canvas"), { width: 8, height: 8 });
        const context = canvas.getContext("2d", { willReadFrequently: true });
        context.fillStyle = wanted;
        context.fillRect(0, 0, 1, 1);
        const aim = [...context.getImageData(0, 0, 1, 1).data];
        let seen = false;
        const look = () => {
          context.drawImage(document.querySelector(selector), 0, 0, 8, 8);
          const { data } = context.getImageData(0, 0, 8, 8);
          // JPEG keeps a colour to a few steps.
          const marked = data.every((value, i) => Math.abs(value - aim[i % 4]) < 24);
          if (seen && !marked) begun();
          else setTimeout(look, 30);
          seen ||= marked;
        };
        look();
      }),
    [video, color],
  );
}
