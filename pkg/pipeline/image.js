/*
 * What a page may give for an image, as pixels. The browser decodes, as it does for transformers.js, so
 * that both see the same pixels.
 */
import { invalid, PromptLensError } from "../error.js";

const MAX_BYTES = 64 * 1024 * 1024;
const MAX_PIXELS = 50e6;

/**
 * Pixels in RGBA, rows from the top; what is transparent keeps its color and becomes opaque.
 *
 * @param {unknown} input
 * @param {(blob: Blob) => Promise<Error>} explain says why a file cannot be decoded
 * @param {AbortSignal} [signal]
 * @returns {Promise<ImageData>}
 */
export async function readImage(input, explain, signal) {
  if (typeof input === "string" || input instanceof URL) return decoded(await fetched(input, signal), explain);
  if (input instanceof Blob) return decoded(input, explain);
  if (is(input, "HTMLImageElement")) {
    await input.decode().catch(() => {
      throw new PromptLensError("image/invalid", "The image of the page could not be loaded.");
    });
    return drawn(input, input.naturalWidth, input.naturalHeight);
  }
  if (is(input, "HTMLCanvasElement", "OffscreenCanvas", "ImageBitmap")) return drawn(input, input.width, input.height);
  const { data, width, height, channels = 4 } = Object(input);
  if (data instanceof Uint8Array || data instanceof Uint8ClampedArray) return fromRaw(data, width, height, channels);
  throw invalid("An image must be an address, a Blob, an <img>, a canvas, an ImageData, or an object of data, width, height and channels.");
}

/** The file at an address of the page's own: nothing is asked of another server. */
async function fetched(input, signal) {
  let url;
  try {
    url = new URL(input, globalThis.document?.baseURI ?? globalThis.location.href);
  } catch {
    throw invalid(`The image ${JSON.stringify(shortened(input))} is no address.`);
  }
  if (!["data:", "blob:"].includes(url.protocol) && url.origin !== globalThis.location.origin) {
    throw invalid(`The image is at ${url.origin}. Only images of this page's own origin are fetched; fetch it yourself and pass the Blob.`);
  }
  let response;
  try {
    response = await fetch(url, { signal });
  } catch (error) {
    if (signal?.aborted) throw new PromptLensError("engine/cancelled", "The caller stopped this call.");
    throw new PromptLensError("network/failed", `The image ${shortened(url.href)} could not be fetched: ${error.message}`);
  }
  if (!response.ok) throw new PromptLensError("network/failed", `The image ${shortened(url.href)} could not be fetched: the server answered ${response.status}.`);
  return response.blob();
}

/** @param {Blob} blob */
async function decoded(blob, explain) {
  if (blob.size > MAX_BYTES) throw new PromptLensError("image/too-large", "The file is larger than 64 MB. Choose a smaller one.");
  const bitmap = await createImageBitmap(blob).catch(async () => {
    throw await explain(blob);
  });
  try {
    return drawn(bitmap, bitmap.width, bitmap.height);
  } finally {
    bitmap.close();
  }
}

function drawn(source, width, height) {
  check(width, height);
  const context = new OffscreenCanvas(width, height).getContext("2d");
  context.drawImage(source, 0, 0);
  try {
    return opaque(context.getImageData(0, 0, width, height));
  } catch (error) {
    if (error.name !== "SecurityError") throw error;
    throw invalid("The image shows a picture of another origin, whose pixels the browser keeps from this page. Pass its Blob.");
  }
}

function fromRaw(data, width, height, channels) {
  if (![width, height].every((side) => Number.isInteger(side)) || ![1, 3, 4].includes(channels) || data.length !== width * height * channels) {
    throw invalid("The image's data must hold width x height pixels of 1, 3 or 4 channels.");
  }
  check(width, height);
  const image = new ImageData(width, height);
  for (let i = 0; i < width * height; i += 1) {
    for (let c = 0; c < 3; c += 1) image.data[4 * i + c] = data[channels * i + (channels === 1 ? 0 : c)];
  }
  return opaque(image);
}

function check(width, height) {
  if (!(width > 0 && height > 0)) throw new PromptLensError("image/empty", "The image has no pixels.");
  if (width * height > MAX_PIXELS) throw new PromptLensError("image/too-large", `The image has ${width} x ${height} pixels, and 50 million are the most. Make it smaller.`);
}

function opaque(image) {
  for (let i = 3; i < image.data.length; i += 4) image.data[i] = 255;
  return image;
}

const is = (input, ...names) => names.some((name) => typeof globalThis[name] === "function" && input instanceof globalThis[name]);

/** An address for a message: those with data can be megabytes long. */
const shortened = (address) => (String(address).length > 100 ? `${String(address).slice(0, 100)}…` : String(address));
