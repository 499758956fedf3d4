/**
 * Pictures as the engine sees them. Browsers turn a JPEG by its EXIF orientation, but not a WebP; the
 * engine turns both, as Pillow does. A preview must show the same picture.
 */

/** Longest side of a picture that had to be turned here. */
const MOST_PIXELS = 2048;
/** A WebP has a handful of chunks; more are not looked through. */
const MOST_CHUNKS = 64;
/** The orientation is at the beginning of the EXIF block. */
const EXIF_BYTES = 64 * 1024;

/**
 * A picture to show for `file`: the file itself, or a turned copy of a WebP that asks to be turned.
 *
 * @param {Blob} file
 * @returns {Promise<Blob>}
 */
export async function upright(file) {
  try {
    const exif = await webpExif(file);
    const orientation = exif && orientationOf(await viewOf(file, exif.start, Math.min(exif.size, EXIF_BYTES)));
    return orientation > 1 ? await turned(file, exif, orientation) : file;
  } catch {
    // If it cannot be decoded, the engine says why.
    return file;
  }
}

async function viewOf(file, start, size) {
  return new DataView(await file.slice(start, start + size).arrayBuffer());
}

const text = (view, at, length) => String.fromCharCode(...new Uint8Array(view.buffer, at, length));

/** The place of the EXIF chunk in a WebP; `null`: there is none. */
async function webpExif(file) {
  const head = await viewOf(file, 0, 16);
  if (head.byteLength < 16 || text(head, 0, 4) !== "RIFF" || text(head, 8, 8) !== "WEBPVP8X") return null;
  let at = 12;
  for (let count = 0; count < MOST_CHUNKS && at + 8 <= file.size; count += 1) {
    const chunk = await viewOf(file, at, 8);
    const size = chunk.getUint32(4, true);
    if (text(chunk, 0, 4) === "EXIF") return { chunk: at, start: at + 8, size };
    at += 8 + size + (size % 2);
  }
  return null;
}

/** The orientation, 1 to 8, of an EXIF block; 1 if it says nothing. */
function orientationOf(view) {
  let base = view.byteLength >= 6 && text(view, 0, 4) === "Exif" ? 6 : 0;
  const little = view.getUint16(base) === 0x4949;
  const entries = base + view.getUint32(base + 4, little);
  const count = view.getUint16(entries, little);
  for (let i = 0; i < count; i += 1) {
    const entry = entries + 2 + 12 * i;
    if (view.getUint16(entry, little) !== 0x0112) continue;
    const value = view.getUint16(entry + 8, little);
    return value >= 1 && value <= 8 ? value : 1;
  }
  return 1;
}

/** A turned copy of `file`, whose EXIF chunk is renamed so that no browser turns it once more. */
async function turned(file, exif, orientation) {
  const plain = new Blob([file.slice(0, exif.chunk), "none", file.slice(exif.chunk + 4)], { type: "image/webp" });
  const bitmap = await createImageBitmap(plain);
  const scale = Math.min(1, MOST_PIXELS / Math.max(bitmap.width, bitmap.height));
  const [width, height] = [bitmap.width, bitmap.height].map((side) => Math.max(1, Math.round(side * scale)));
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = orientation < 5 ? [width, height] : [height, width];
  const context = canvas.getContext("2d");
  // One matrix per orientation: the steps on the page for a step to the right and a step down in the file.
  const [a, b, c, d] = [
    [1, 0, 0, 1],
    [-1, 0, 0, 1],
    [-1, 0, 0, -1],
    [1, 0, 0, -1],
    [0, 1, 1, 0],
    [0, 1, -1, 0],
    [0, -1, -1, 0],
    [0, -1, 1, 0],
  ][orientation - 1];
  context.setTransform(a, b, c, d, a + c < 0 ? canvas.width : 0, b + d < 0 ? canvas.height : 0);
  context.drawImage(bitmap, 0, 0, width, height);
  bitmap.close();
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("no picture"))), "image/png");
  });
}
