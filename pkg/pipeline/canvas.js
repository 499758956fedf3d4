/*
 * Images scaled and cropped as transformers.js does it in a browser: one canvas scales, another cuts out
 * the middle.
 */
import { PromptLensError } from "../error.js";

/**
 * @param {ImageData} image
 * @param {import("../index.js").Preprocessing} preprocessing
 * @returns {ImageData} of the size of the model's input
 */
export function scaledByCanvas(image, { resize, width, height }) {
  return cropped(scaled(image, resize), width, height);
}

function scaled(image, resize) {
  const { width, height } = scaledSize(image, resize);
  return width === image.width && height === image.height ? image : painted(image, width, height, [0, 0, image.width, image.height], [0, 0, width, height]);
}

function scaledSize({ width, height }, resize) {
  if (resize.to === "nothing") return { width, height };
  if (resize.to === "size") return resize;
  if (resize.to === "square" && width !== height) {
    throw new PromptLensError("config/invalid", "This model takes square images only; crop the image to a square.");
  }
  const factor = Math.max(resize.side / width, resize.side / height);
  const whole = (length) => Math.floor(Number((length * factor).toFixed(2)));
  return { width: whole(width), height: whole(height) };
}

function cropped(image, width, height) {
  if (image.width === width && image.height === height) return image;
  const [x, y] = [(image.width - width) / 2, (image.height - height) / 2];
  return painted(image, width, height, [Math.max(x, 0), Math.max(y, 0), width, height], [Math.max(-x, 0), Math.max(-y, 0), width, height]);
}

/** The part `from` of an image at the place `to` of a canvas; both are x, y, width, height. */
function painted(image, width, height, from, to) {
  try {
    const source = new OffscreenCanvas(image.width, image.height);
    source.getContext("2d").putImageData(image, 0, 0);
    const context = new OffscreenCanvas(width, height).getContext("2d");
    context.drawImage(source, ...from, ...to);
    return context.getImageData(0, 0, width, height);
  } catch (error) {
    throw new PromptLensError("image/invalid", `The image cannot be scaled to ${width} x ${height}; crop it first. (${error.message})`);
  }
}

/**
 * The pixels as a BMP of 24 bits, which every reader takes without loss.
 *
 * @param {ImageData} image
 * @returns {Blob}
 */
export function bitmapFile({ data, width, height }) {
  const HEADER = 54;
  const stride = Math.ceil((3 * width) / 4) * 4;
  const file = new DataView(new ArrayBuffer(HEADER + stride * height));
  file.setUint16(0, 0x424d);
  file.setUint32(2, file.byteLength, true);
  file.setUint32(10, HEADER, true);
  file.setUint32(14, 40, true);
  file.setInt32(18, width, true);
  // Rows from the top.
  file.setInt32(22, -height, true);
  file.setUint16(26, 1, true);
  file.setUint16(28, 24, true);
  const rows = new Uint8Array(file.buffer, HEADER);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      for (let c = 0; c < 3; c += 1) rows[y * stride + 3 * x + 2 - c] = data[4 * (y * width + x) + c];
    }
  }
  return new Blob([file.buffer], { type: "image/bmp" });
}
