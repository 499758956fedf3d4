/* Files, read completely by a worker. */
import { PromptLensError } from "./error.js";

/** Larger files are refused before they are read into memory. */
const MAX_IMAGE_BYTES = 64 * 1024 * 1024;
/** An archive is read as a whole. */
export const MAX_ARCHIVE_BYTES = 512 * 1024 * 1024;

/** Reads a file completely. */
export async function bytesOf(blob, most = MAX_IMAGE_BYTES) {
  if (blob.size > most) {
    const megabytes = most / 1024 / 1024;
    throw new PromptLensError(most === MAX_IMAGE_BYTES ? "image/too-large" : "data/too-large", `The file is larger than ${megabytes} MB. Choose a smaller one.`);
  }
  try {
    return new Uint8Array(await blob.arrayBuffer());
  } catch (error) {
    throw new PromptLensError("io/failed", `The file could not be read: ${error.message}`);
  }
}
