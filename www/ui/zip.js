/**
 * Zip archives without compression. Photos are compressed already, and a member that is only stored is the
 * file byte for byte. The archive is a Blob made of the files' own Blobs, so that it is never in memory as a
 * whole. Files of 4 GB or more, more than 65,535 members and archives beyond 4 GB use zip64.
 *
 * Format: APPNOTE.TXT of PKWARE, version 6.3.
 */

/** Values that do not fit into 32 or 16 bits are in a zip64 field, and this stands in their place. */
const MOST_32 = 0xffff_ffff;
const MOST_16 = 0xffff;
/** Bit 11: the names are UTF-8. */
const UTF_8 = 1 << 11;
/** Versions of the format that a reader must know. */
const PLAIN = 20;
const ZIP64 = 45;
/** "Made by" Unix, and a regular file that its owner may write and others may read. */
const UNIX = 3 << 8;
const MODE = 0o100644 * 0x1_0000;

/**
 * @typedef {object} ZipEntry
 * @property {string} path with `/` between folders
 * @property {Blob} blob
 * @property {number} [modified] milliseconds since 1970
 */

/**
 * Makes an archive.
 *
 * @template {ZipEntry} T
 * @param {Iterable<T>} entries
 * @param {object} [how]
 * @param {AbortSignal} [how.signal]
 * @param {(done: number) => void} [how.onProgress] is called with the number of entries behind it
 * @param {(entry: T, error: Error) => void} [how.onFailed] is called for a file that cannot be read, which the
 *   archive then lacks; without it such a file ends the work
 * @returns {Promise<Blob>}
 */
export async function zipOf(entries, { signal, onProgress, onFailed } = {}) {
  const parts = [];
  const directory = [];
  let offset = 0;
  let done = 0;
  for (const entry of entries) {
    signal?.throwIfAborted();
    const name = nameBytes(entry.path);
    try {
      const member = { name, size: entry.blob.size, crc: await crc32Of(entry.blob, signal), offset, modified: entry.modified ?? 0 };
      const header = localHeader(member);
      parts.push(header, entry.blob);
      directory.push(centralHeader(member));
      offset += header.length + member.size;
    } catch (error) {
      if (signal?.aborted || !onFailed) throw error;
      onFailed(entry, error);
    }
    onProgress?.((done += 1));
  }
  const size = directory.reduce((sum, header) => sum + header.length, 0);
  return new Blob([...parts, ...directory, end(directory.length, size, offset)], { type: "application/zip" });
}

/** A path that leads out of the folder where the archive is unpacked must never be in one. */
function nameBytes(path) {
  const bad = path.includes("\\") || path.split("/").some((part) => part === "" || part === "." || part === "..");
  const bytes = new TextEncoder().encode(path);
  if (bad || bytes.length > MOST_16) throw new TypeError(`This is no path for a zip: ${path}`);
  return bytes;
}

/** Numbers in little-endian order, as pairs of value and number of bytes, then bytes as they are. */
function packed(fields, ...rest) {
  const length = fields.reduce((sum, [, bytes]) => sum + bytes, 0);
  const all = new Uint8Array(rest.reduce((sum, { length }) => sum + length, length));
  const view = new DataView(all.buffer);
  let at = 0;
  for (const [value, bytes] of fields) {
    if (bytes === 2) view.setUint16(at, value, true);
    else if (bytes === 4) view.setUint32(at, value, true);
    else view.setBigUint64(at, BigInt(value), true);
    at += bytes;
  }
  for (const bytes of rest) {
    all.set(bytes, at);
    at += bytes.length;
  }
  return all;
}

/** The zip64 field with these values; empty without one. */
const wideField = (values) => (values.length === 0 ? new Uint8Array() : packed([[1, 2], [8 * values.length, 2], ...values.map((value) => [value, 8])]));

function localHeader({ name, size, crc, modified }) {
  const wide = size >= MOST_32;
  const extra = wideField(wide ? [size, size] : []);
  const shown = wide ? MOST_32 : size;
  const fields = [[0x0403_4b50, 4], [wide ? ZIP64 : PLAIN, 2], ...common(crc, modified), [shown, 4], [shown, 4], [name.length, 2], [extra.length, 2]];
  return packed(fields, name, extra);
}

function centralHeader({ name, size, crc, offset, modified }) {
  const wide = [...(size >= MOST_32 ? [size, size] : []), ...(offset >= MOST_32 ? [offset] : [])];
  const extra = wideField(wide);
  const version = wide.length > 0 ? ZIP64 : PLAIN;
  const shown = Math.min(size, MOST_32);
  const fields = [
    [0x0201_4b50, 4], [UNIX + version, 2], [version, 2], ...common(crc, modified), [shown, 4], [shown, 4],
    [name.length, 2], [extra.length, 2], [0, 2], [0, 2], [0, 2], [MODE, 4], [Math.min(offset, MOST_32), 4],
  ];
  return packed(fields, name, extra);
}

/** What both headers of a member have: flags, method 0 (stored), time, date, checksum. */
function common(crc, modified) {
  const [time, date] = dosTime(new Date(modified));
  return [[UTF_8, 2], [0, 2], [time, 2], [date, 2], [crc, 4]];
}

/** Local time in steps of two seconds, from 1980 to 2107. */
function dosTime(when) {
  const year = when.getFullYear();
  if (!(year >= 1980)) return [0, (1 << 5) | 1];
  if (year > 2107) return [0xbf7d, 0xff9f];
  const time = (when.getHours() << 11) | (when.getMinutes() << 5) | (when.getSeconds() >> 1);
  return [time, ((year - 1980) << 9) | ((when.getMonth() + 1) << 5) | when.getDate()];
}

/** The end of the archive: how many members there are, and where their directory is. */
function end(count, size, offset) {
  const wide = count >= MOST_16 || size >= MOST_32 || offset >= MOST_32;
  const shown = Math.min(count, MOST_16);
  const last = packed([[0x0605_4b50, 4], [0, 2], [0, 2], [shown, 2], [shown, 2], [Math.min(size, MOST_32), 4], [Math.min(offset, MOST_32), 4], [0, 2]]);
  if (!wide) return last;
  const record = packed([[0x0606_4b50, 4], [44, 8], [UNIX + ZIP64, 2], [ZIP64, 2], [0, 4], [0, 4], [count, 8], [count, 8], [size, 8], [offset, 8]]);
  const locator = packed([[0x0706_4b50, 4], [0, 4], [offset + size, 8], [1, 4]]);
  return packed([], record, locator, last);
}

/**
 * Eight tables, to take eight bytes at a time ("slicing by 8"): a byte at a time would be several times slower,
 * and a pile of photos has gigabytes.
 */
const TABLES = (() => {
  const tables = Array.from({ length: 8 }, () => new Uint32Array(256));
  for (let n = 0; n < 256; n += 1) {
    let crc = n;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb8_8320 : 0);
    tables[0][n] = crc;
  }
  for (let k = 1; k < 8; k += 1) for (let n = 0; n < 256; n += 1) tables[k][n] = (tables[k - 1][n] >>> 8) ^ tables[0][tables[k - 1][n] & 0xff];
  return tables;
})();

/** The CRC-32 of a file, read in parts. */
async function crc32Of(blob, signal) {
  let crc = ~0;
  let length = 0;
  const reader = blob.stream().getReader();
  try {
    for (;;) {
      signal?.throwIfAborted();
      const { done, value } = await reader.read();
      if (done) break;
      crc = update(crc, value);
      length += value.length;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
  // A header that lies about its file would damage the whole archive.
  if (length !== blob.size) throw new Error("The file changed while it was read.");
  return ~crc >>> 0;
}

function update(before, bytes) {
  const [t0, t1, t2, t3, t4, t5, t6, t7] = TABLES;
  let crc = before;
  let i = 0;
  for (const last = bytes.length - 7; i < last; i += 8) {
    crc ^= bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24);
    crc =
      t7[crc & 0xff] ^ t6[(crc >>> 8) & 0xff] ^ t5[(crc >>> 16) & 0xff] ^ t4[crc >>> 24] ^
      t3[bytes[i + 4]] ^ t2[bytes[i + 5]] ^ t1[bytes[i + 6]] ^ t0[bytes[i + 7]];
  }
  for (; i < bytes.length; i += 1) crc = (crc >>> 8) ^ t0[(crc ^ bytes[i]) & 0xff];
  return crc;
}
