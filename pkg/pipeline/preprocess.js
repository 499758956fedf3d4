/*
 * From pixels to a model's input as transformers.js does it in a browser: a canvas scales the shorter side
 * to the model's, another cuts out the middle.
 */
import { PromptLensError } from "../error.js";

/** The mean and the standard deviation of CLIP's training images, by channel. */
const MEAN = [0.48145466, 0.4578275, 0.40821073];
const DEVIATION = [0.26862954, 0.26130258, 0.27577711];

/**
 * @param {ImageData} image
 * @param {number} side of the square that the model sees
 * @returns {Float32Array} [3, side, side]
 */
export function preprocessed(image, side) {
  return normalized(cropped(scaled(image, side), side));
}

function scaled(image, side) {
  const factor = Math.max(side / image.width, side / image.height);
  const [width, height] = [image.width, image.height].map((length) => Math.floor(Number((length * factor).toFixed(2))));
  return width === image.width && height === image.height ? image : painted(image, width, height, 0, 0, image.width, image.height, 0, 0, width, height);
}

function cropped(image, side) {
  if (image.width === side && image.height === side) return image;
  const [x, y] = [(image.width - side) / 2, (image.height - side) / 2];
  return painted(image, side, side, Math.max(x, 0), Math.max(y, 0), side, side, Math.max(-x, 0), Math.max(-y, 0), side, side);
}

/** A part of `image` on a canvas of `width` x `height`. */
function painted(image, width, height, ...parts) {
  try {
    const source = new OffscreenCanvas(image.width, image.height);
    source.getContext("2d").putImageData(image, 0, 0);
    const context = new OffscreenCanvas(width, height).getContext("2d");
    context.drawImage(source, ...parts);
    return context.getImageData(0, 0, width, height);
  } catch (error) {
    throw new PromptLensError("image/invalid", `The image cannot be scaled to ${width} x ${height}; crop it first. (${error.message})`);
  }
}

function normalized({ data, width, height }) {
  const area = width * height;
  const pixels = new Float32Array(3 * area);
  for (let c = 0; c < 3; c += 1) {
    for (let i = 0; i < area; i += 1) pixels[c * area + i] = (Math.fround(data[4 * i + c] / 255) - MEAN[c]) / DEVIATION[c];
  }
  return pixels;
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
