/**
 * A server that misbehaves on request, on an origin of its own.
 *
 * `fault(name, count)` says what happens to the `count`-th request (from 0) for the file `name`:
 * nothing (`undefined`), or one of
 *   `{ status, headers? }`   that answer, without a body
 *   `{ cut: n }`             the connection ends after `n` bytes
 *   `{ stall: n }`           nothing comes after `n` bytes
 *   `{ pace: n }`            `n` bytes come every tenth of a second
 *   `{ length: n }`          a Content-Length of `n`, and then what there is
 *   `{ flip: n }`            byte `n` of the file is wrong
 *   `{ whole: true }`        a range is ignored
 *   `{ closed: true }`       pages of other origins are not allowed
 *   `{ etag }`               speaks of another version
 */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";

/**
 * Milliseconds from the last byte to the end of a connection that is cut. A browser drops what it has
 * received but not yet handed to the page when the connection fails, and a busy machine hands it on late.
 */
export const CUT_AFTER = 1500;

/** Every file of a folder, by its name. */
export async function filesOf(folder) {
  const names = await readdir(folder);
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name))])));
}

/** Sends `bytes` in pieces, a tenth of a second apart, for as long as somebody takes them; `whole` where they are all. */
function drip(response, bytes, size, whole) {
  let at = 0;
  const timer = setInterval(() => {
    response.write(bytes.subarray(at, (at += size)));
    if (at >= bytes.length && whole) response.end();
  }, 100);
  response.on("close", () => clearInterval(timer));
}

export const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

/** @param {Record<string, Buffer>} files by their path on the server */
export async function serveFaulty(files) {
  const counts = new Map();
  const state = { files, fault: () => undefined, requests: [], sent: {} };
  const server = createServer((request, response) => {
    const name = decodeURIComponent(new URL(request.url, "http://x").pathname.slice(1));
    const head = request.method === "HEAD";
    const count = counts.get(name) ?? 0;
    if (!head) counts.set(name, count + 1);
    const range = /^bytes=(\d+)-/.exec(request.headers.range ?? "");
    state.requests.push({ name, method: request.method, from: range ? Number(range[1]) : 0 });
    const how = (head ? undefined : state.fault(name, count)) ?? {};
    const open = how.closed ? {} : { "Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "ETag, Content-Range, Last-Modified" };
    if (how.status) return void response.writeHead(how.status, { ...open, ...how.headers }).end();
    const file = state.files[name];
    if (!file) return void response.writeHead(404, open).end();
    const from = range && !how.whole ? Number(range[1]) : 0;
    if (from >= file.length && file.length > 0) return void response.writeHead(416, open).end();
    let body = file.subarray(from);
    if (how.flip !== undefined && how.flip >= from) {
      body = Buffer.from(body);
      body[how.flip - from] ^= 0x40;
    }
    const about = { ...open, ETag: how.etag ?? `"${sha256(file).slice(0, 16)}"`, "Content-Length": how.length ?? body.length };
    if (from > 0) about["Content-Range"] = `bytes ${from}-${file.length - 1}/${file.length}`;
    response.writeHead(from > 0 ? 206 : 200, about);
    if (head) return void response.end();
    const end = how.cut ?? how.stall ?? body.length;
    const part = body.subarray(0, Math.max(0, end));
    state.sent[name] = (state.sent[name] ?? 0) + part.length;
    if (how.pace !== undefined) return void drip(response, part, how.pace, part.length === body.length);
    if (how.stall !== undefined) return void response.write(part);
    if (how.cut !== undefined || (how.length ?? 0) > body.length) {
      return void response.write(part, () => setTimeout(() => response.destroy(), CUT_AFTER));
    }
    response.end(part);
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return Object.assign(state, {
    url: `http://127.0.0.1:${server.address().port}/`,
    /** Behaves from here on as `fault` says, and counts anew. */
    behave(fault = () => undefined) {
      state.fault = fault;
      state.requests = [];
      state.sent = {};
      counts.clear();
    },
    close: () =>
      new Promise((done) => {
        server.close(done);
        server.closeAllConnections();
      }),
  });
}

/** Loads a model in the page, says what a text is to it, and frees it. */
export function loadOnce(page, site, options) {
  return page.evaluate(
    async ([entry, settings]) => {
      const { PromptLens } = await import(entry);
      const events = [];
      const start = performance.now();
      try {
        const lens = await PromptLens.load({ device: "cpu", ...settings, onProgress: (event) => events.push(event) });
        const ready = performance.now() - start;
        const [text] = await lens.embedText(["a photo of a cat."]);
        const { info } = lens;
        lens.free();
        return { info, ready, text: [...text], events };
      } catch (error) {
        return { code: error.code, message: error.message, events };
      }
    },
    [`${site}pkg/index.js`, options],
  );
}

/** What the page's browser keeps. */
export const storedIn = (page, site) =>
  page.evaluate(async (entry) => (await import(entry)).PromptLens.models.stored(), `${site}pkg/index.js`);

/** Deletes all of it, pins included. */
export const emptyStore = (page, site) =>
  page.evaluate(async (entry) => {
    const { models } = (await import(entry)).PromptLens;
    for (const { id } of await models.stored()) await models.delete(id, { forget: true });
  }, `${site}pkg/index.js`);
