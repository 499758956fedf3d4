#!/usr/bin/env node
// A static file server for dist/, without dependencies, for the demo and the browser tests.
//   node scripts/serve.mjs [--root dist] [--port 8080] [--host 127.0.0.1] [--base /] [--csp POLICY]
// --base mounts the site under a sub-path; --port 0 takes a free port and prints it.
import { createReadStream } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, resolve, sep } from "node:path";
import { pipeline } from "node:stream";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const TYPES = {
  ".css": "text/css; charset=utf-8",
  ".gif": "image/gif",
  ".html": "text/html; charset=utf-8",
  ".ico": "image/x-icon",
  ".jpeg": "image/jpeg",
  ".jpg": "image/jpeg",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".map": "application/json; charset=utf-8",
  ".md": "text/markdown; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".ts": "text/plain; charset=utf-8",
  ".txt": "text/plain; charset=utf-8",
  ".wasm": "application/wasm",
  ".webmanifest": "application/manifest+json",
  ".webp": "image/webp",
  ".woff2": "font/woff2",
};

/**
 * Serves `root` (a folder) over HTTP.
 * @param {{root: string, port?: number, host?: string, base?: string, headers?: Record<string, string>}} options
 *   `port` 0 takes a free one; `base` is the path the site is mounted under; `headers` go with every answer.
 * @returns {Promise<{url: string, close: () => Promise<void>}>} `url` ends in a slash.
 */
export async function serve({ root, port = 0, host = "127.0.0.1", base = "/", headers = {} }) {
  const folder = await realpath(root);
  const mount = `/${base.split("/").filter(Boolean).join("/")}/`.replace("//", "/");
  const server = createServer((request, response) => {
    answer(folder, mount, headers, request, response).catch(() => {
      if (!response.headersSent) response.writeHead(500, headers);
      response.end();
    });
  });
  await new Promise((done, fail) => server.once("error", fail).listen(port, host, done));
  return {
    url: `http://${host}:${server.address().port}${mount}`,
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

async function answer(folder, mount, headers, request, response) {
  const end = (status, extra = {}) => response.writeHead(status, { ...headers, ...extra }).end();
  if (request.method !== "GET" && request.method !== "HEAD") return end(405, { Allow: "GET, HEAD" });
  const path = request.url.split("?", 1)[0];
  const search = request.url.slice(path.length);
  if (`${path}/` === mount) return end(308, { Location: mount + search });
  if (!path.startsWith(mount)) return end(404);
  const file = await locate(folder, path.slice(mount.length));
  if (!file) return end(404);
  if (file.isFolder) return end(308, { Location: `${path.slice(path.lastIndexOf("/") + 1)}/${search}` });

  const etag = `"${file.size.toString(16)}-${Math.trunc(file.mtimeMs).toString(16)}"`;
  const about = {
    "Content-Type": TYPES[extname(file.path).toLowerCase()] ?? "application/octet-stream",
    // Always ask again: a rebuilt engine must never meet a stale worker.
    "Cache-Control": "no-cache",
    ETag: etag,
    "Accept-Ranges": "bytes",
    "X-Content-Type-Options": "nosniff",
  };
  if (request.headers["if-none-match"] === etag) return end(304, about);

  const asked = request.headers["if-range"] ?? etag;
  const range = asked === etag ? parseRange(request.headers.range, file.size) : null;
  if (range === "unsatisfiable") return end(416, { "Content-Range": `bytes */${file.size}` });
  const { start, stop } = range ?? { start: 0, stop: file.size - 1 };
  if (range) about["Content-Range"] = `bytes ${start}-${stop}/${file.size}`;
  about["Content-Length"] = stop - start + 1;
  response.writeHead(range ? 206 : 200, { ...headers, ...about });
  if (request.method === "HEAD" || file.size === 0) return response.end();
  pipeline(createReadStream(file.path, { start, end: stop }), response, () => {});
}

// The file a URL path names, or null. What lies outside the folder, by dots or by a link, is not there.
async function locate(folder, urlPath) {
  try {
    const name = decodeURIComponent(urlPath);
    if (name.includes("\0")) return null;
    const real = await realpath(resolve(folder, `.${sep}${name}`));
    if (real !== folder && !real.startsWith(folder + sep)) return null;
    const found = await stat(real);
    if (found.isFile()) return { path: real, size: found.size, mtimeMs: found.mtimeMs };
    if (!found.isDirectory()) return null;
    if (name !== "" && !name.endsWith("/")) return { isFolder: true };
    const index = join(real, "index.html");
    const page = await stat(index);
    return page.isFile() ? { path: index, size: page.size, mtimeMs: page.mtimeMs } : null;
  } catch {
    return null;
  }
}

// One range in bytes; null means the whole file (no header, several ranges, or not understood).
function parseRange(header, size) {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? "");
  if (!match || (match[1] === "" && match[2] === "")) return null;
  const [first, last] = [match[1], match[2]];
  const start = first === "" ? Math.max(size - Number(last), 0) : Number(first);
  const stop = first === "" || last === "" ? size - 1 : Math.min(Number(last), size - 1);
  if (first !== "" && last !== "" && Number(last) < Number(first)) return null;
  return start > stop ? "unsatisfiable" : { start, stop };
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: {
      root: { type: "string", default: "dist" },
      port: { type: "string", default: "8080" },
      host: { type: "string", default: "127.0.0.1" },
      base: { type: "string", default: "/" },
      csp: { type: "string" },
    },
  });
  const headers = values.csp ? { "Content-Security-Policy": values.csp } : {};
  try {
    const { url } = await serve({ ...values, port: Number(values.port), headers });
    console.log(`serving ${values.root} on ${url} (stop with Ctrl-C)`);
  } catch (error) {
    console.error(`error: ${error.message}`);
    process.exit(1);
  }
}
