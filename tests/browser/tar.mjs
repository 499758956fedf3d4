/** Reads files out of a gzipped tar, as far as the photo archives need it. */
import { createReadStream } from "node:fs";
import { createGunzip } from "node:zlib";

const BLOCK = 512;

/** A tar of small files, as `{ path: bytes }`. */
export function tarOf(files) {
  const blocks = [];
  for (const [path, bytes] of Object.entries(files)) {
    const head = Buffer.alloc(BLOCK);
    head.write(path, 0, 100);
    head.write("0000644\0", 100);
    head.write(`${bytes.length.toString(8).padStart(11, "0")}\0`, 124);
    head.write("        0", 148);
    head.write("ustar\x0000", 257, "latin1");
    const sum = head.reduce((total, byte) => total + byte, 0);
    head.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
    blocks.push(head, bytes, Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK));
  }
  return Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)]);
}

/**
 * The regular files of a `.tar.gz` for which `want(name)` holds, in the archive's order. Reading
 * stops after `limit` of them, so that an early file of a large archive is cheap.
 *
 * @param {string} path
 * @param {(name: string) => boolean} want
 * @param {number} [limit]
 * @returns {Promise<{name: string, bytes: Buffer}[]>}
 */
export async function readTar(path, want, limit = Infinity) {
  const found = [];
  const stream = createReadStream(path).pipe(createGunzip());
  let pending = Buffer.alloc(0);
  let skip = 0;
  for await (const chunk of stream) {
    pending = Buffer.concat([pending, chunk]);
    while (pending.length > 0) {
      if (skip > 0) {
        const passed = Math.min(skip, pending.length);
        pending = pending.subarray(passed);
        skip -= passed;
        continue;
      }
      if (pending.length < BLOCK) break;
      const { name, size, regular } = header(pending);
      const padded = Math.ceil(size / BLOCK) * BLOCK;
      if (!regular || !want(name)) {
        skip = BLOCK + padded;
        continue;
      }
      if (pending.length < BLOCK + padded) break;
      found.push({ name, bytes: Buffer.from(pending.subarray(BLOCK, BLOCK + size)) });
      if (found.length >= limit) {
        stream.destroy();
        return found;
      }
      skip = BLOCK + padded;
    }
  }
  return found;
}

function header(block) {
  const text = (from, to) => block.toString("utf8", from, to).split("\0", 1)[0];
  const size = parseInt(text(124, 136).trim() || "0", 8);
  const kind = text(156, 157);
  const prefix = text(257, 262) === "ustar" ? text(345, 500) : "";
  return { name: prefix ? `${prefix}/${text(0, 100)}` : text(0, 100), size, regular: kind === "" || kind === "0" };
}
