/**
 * A hub as Hugging Face's behaves towards a browser, on origins of its own: small files by way of a
 * 307 to a cache, large ones by way of a 302 to a signed address of a content network that expires,
 * `Origin: null` behind it, and only the headers that the real one exposes.
 *
 * `fault({ place, name, count })` says what happens to the `count`-th request (from 0) for the file
 * `name` at `place` ("api", "hub", or the number of a content network): nothing (`undefined`), or
 *   `{ status, headers? }`  that answer, without a body
 *   `{ cut: n }`            the connection ends after `n` bytes
 */
import { createServer } from "node:http";
import { gzipSync } from "node:zlib";
import { CUT_AFTER, sha256 } from "./faulty.mjs";

const EXPOSED =
  "X-Repo-Commit,X-Request-Id,X-Error-Code,X-Error-Message,X-Total-Count,ETag,Link,Accept-Ranges,Content-Range,X-Linked-Size,X-Linked-ETag,X-Xet-Hash";
/** Files of more bytes lie on a content network. */
const LARGE = 1 << 20;

async function listen(answer) {
  const server = createServer((request, response) => {
    try {
      answer(request, response);
    } catch (error) {
      response.writeHead(500).end(String(error));
    }
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const close = () =>
    new Promise((done) => {
      server.close(done);
      server.closeAllConnections();
    });
  return { url: `http://127.0.0.1:${server.address().port}`, close };
}

/**
 * @param {Record<string, {files: Record<string, Buffer>, gated?: string}>} repositories by `owner/name`
 */
export async function openHub(repositories) {
  const state = { repositories, fault: () => undefined, requests: [], expiry: Infinity };
  const counts = new Map();
  let signed = 0;

  const commitOf = (repository) => sha256(Buffer.from(repository)).slice(0, 40);
  /** What happens to this request, which is written down. */
  const judge = (place, name, request) => {
    const key = `${place} ${name}`;
    const count = counts.get(key) ?? 0;
    if (request.method === "GET") counts.set(key, count + 1);
    const { origin = null, referer = null, range = null } = request.headers;
    state.requests.push({ place, name, method: request.method, origin, referer, range });
    return state.fault({ place, name, count }) ?? {};
  };
  const open = (request) => ({
    "Access-Control-Allow-Origin": request.headers.origin ?? "*",
    "Access-Control-Expose-Headers": EXPOSED,
    Vary: "Origin",
  });
  /** Bytes of a file, from where they were asked for. */
  const send = (request, response, bytes, headers, { cut }) => {
    const from = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
    if (from > 0 && from >= bytes.length) return void response.writeHead(416, headers).end();
    const body = bytes.subarray(from);
    const ranged = from > 0 ? { "Content-Range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` } : {};
    response.writeHead(from > 0 ? 206 : 200, { ...headers, ...ranged, "Content-Length": body.length });
    if (request.method === "HEAD") return void response.end();
    if (cut === undefined) return void response.end(body);
    response.write(body.subarray(0, cut), () => setTimeout(() => response.destroy(), CUT_AFTER));
  };
  /** Small texts are compressed, and their length is not told. */
  const sendText = (request, response, bytes, headers) => {
    response.writeHead(200, { ...headers, "Content-Type": "application/json", "Content-Encoding": "gzip" });
    response.end(request.method === "HEAD" ? undefined : gzipSync(bytes));
  };

  const network = (place) =>
    listen((request, response) => {
      const { pathname, searchParams } = new URL(request.url, "http://x");
      const [, repository, name] = /^\/([^/]+\/[^/]+)\/(.*)$/.exec(decodeURIComponent(pathname));
      const fault = judge(place, name, request);
      const headers = open(request);
      if (fault.status) return void response.writeHead(fault.status, { ...headers, ...fault.headers }).end();
      const age = Number(searchParams.get("Number"));
      if (signed - age > state.expiry) return void response.writeHead(403, headers).end();
      const bytes = state.repositories[repository].files[name];
      // Each network has names of its own for the same bytes.
      send(request, response, bytes, { ...headers, ETag: `"${place}-${sha256(bytes).slice(0, 12)}"` }, fault);
    });
  const networks = await Promise.all([network(0), network(1)]);

  const hub = await listen((request, response) => {
    const { pathname } = new URL(request.url, "http://x");
    const path = decodeURIComponent(pathname);
    const headers = open(request);
    const described = /^\/api\/models\/([^/]+\/[^/]+)\/revision\/(.+)$/.exec(path);
    const cached = /^\/api\/resolve-cache\/models\/([^/]+\/[^/]+)\/[0-9a-f]{40}\/(.+)$/.exec(path);
    const resolved = /^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(path);
    const [, repository, revision, file] = described ?? resolved ?? [null, cached?.[1], null, null];
    const fault = judge(described ? "api" : "hub", file ?? cached?.[2] ?? repository ?? path, request);
    if (fault.status) return void response.writeHead(fault.status, { ...headers, ...fault.headers }).end();
    const known = state.repositories[repository];
    const commit = repository && commitOf(repository);
    // To strangers a repository that is private is one that is not there, and that is no 404.
    if (!known) return void response.writeHead(path.startsWith("/api") || resolved ? 401 : 404, { ...headers, "X-Error-Code": "RepoNotFound" }).end();
    if (described) {
      if (revision !== "main" && revision !== commit) return void response.writeHead(404, headers).end();
      const siblings = Object.entries(known.files).map(([rfilename, bytes]) => ({
        rfilename,
        size: bytes.length,
        ...(bytes.length > LARGE && { lfs: { sha256: sha256(bytes), size: bytes.length, pointerSize: 135 } }),
      }));
      return sendText(request, response, Buffer.from(JSON.stringify({ id: repository, sha: commit, gated: known.gated ?? false, siblings })), headers);
    }
    if (known.gated) return void response.writeHead(401, { ...headers, "X-Error-Code": "GatedRepo" }).end();
    const name = file ?? cached[2];
    const bytes = known.files[name];
    if (!bytes) return void response.writeHead(404, { ...headers, "X-Error-Code": "EntryNotFound" }).end();
    if (cached) return sendText(request, response, bytes, headers);
    const about = { ...headers, "X-Repo-Commit": commit };
    if (bytes.length <= LARGE) {
      return void response.writeHead(307, { ...about, Location: `/api/resolve-cache/models/${repository}/${commit}/${name}` }).end();
    }
    signed += 1;
    const place = networks[signed % networks.length];
    const linked = { "X-Linked-Size": bytes.length, "X-Linked-ETag": `"${sha256(bytes)}"` };
    response.writeHead(302, { ...about, ...linked, Location: `${place.url}/${repository}/${name}?Number=${signed}` }).end();
  });

  return Object.assign(state, {
    url: hub.url,
    networks: networks.map(({ url }) => url),
    commitOf,
    /** Behaves from here on as `fault` says, and counts anew. */
    behave(fault = () => undefined, { expiry = Infinity } = {}) {
      Object.assign(state, { fault, expiry, requests: [] });
      counts.clear();
    },
    close: () => Promise.all([hub, ...networks].map(({ close }) => close())),
  });
}
