import { middleSquare } from "../pkg/heatmap.js";
import { upright } from "../pkg/upright.js";

/**
 * A small picture of the middle of a photo: the browser scales while it decodes, off the page's own thread.
 *
 * @param {Blob} file
 * @param {number} side in pixels
 * @returns {Promise<HTMLCanvasElement | null>} `null`: the browser cannot read it
 */
export async function thumbnail(file, side) {
  const bitmap = await createImageBitmap(await upright(file), { resizeWidth: side * 2, resizeQuality: "low" }).catch(() => null);
  if (!bitmap) return null;
  const canvas = document.createElement("canvas");
  canvas.width = side;
  canvas.height = side;
  const square = middleSquare(bitmap.width, bitmap.height);
  canvas.getContext("2d").drawImage(bitmap, square.left, square.top, square.side, square.side, 0, 0, side, side);
  bitmap.close();
  return canvas;
}
