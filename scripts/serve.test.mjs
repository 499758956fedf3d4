import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { serve } from "./serve.mjs";

let folder;
let site;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "serve-"));
  await mkdir(join(folder, "root", "pkg"), { recursive: true });
  await writeFile(join(folder, "secret.txt"), "secret");
  await writeFile(join(folder, "root", "index.html"), "<!doctype html>home");
  await writeFile(join(folder, "root", "pkg", "index.html"), "pkg");
  await writeFile(join(folder, "root", "a b.bin"), "0123456789");
  await writeFile(join(folder, "root", "empty.txt"), "");
  for (const name of ["e.wasm", "e.js", "e.webmanifest"]) await writeFile(join(folder, "root", name), "x");
  await symlink(join(folder, "secret.txt"), join(folder, "root", "link.txt"));
  site = await serve({ root: join(folder, "root"), base: "/sub/path/", headers: { "X-Test": "1" } });
});

after(async () => {
  await site.close();
  await rm(folder, { recursive: true });
});

// A plain request: fetch() would tidy up the paths that these tests are about.
function get(path, headers = {}, method = "GET") {
  return new Promise((done, fail) => {
    const { hostname, port } = new URL(site.url);
    request({ hostname, port, path, headers, method }, (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part));
      response.on("end", () =>
        done({ status: response.statusCode, headers: response.headers, body: Buffer.concat(parts).toString() }));
    }).on("error", fail).end();
  });
}

test("pages, folders and the mount path", async () => {
  assert.match((await get("/sub/path/?q=1")).body, /home/);
  assert.equal((await get("/sub/path/pkg/")).body, "pkg");
  assert.equal((await get("/sub/path/pkg")).headers.location, "pkg/");
  assert.equal((await get("/sub/path")).headers.location, "/sub/path/");
  assert.equal((await get("/")).status, 404);
  assert.equal((await get("/sub/path/none")).status, 404);
  assert.equal((await get("/sub/path/", {}, "POST")).status, 405);
});

test("types that browsers insist on, and the extra headers", async () => {
  const type = async (name) => (await get(`/sub/path/${name}`)).headers["content-type"];
  assert.equal(await type("e.wasm"), "application/wasm");
  assert.match(await type("e.js"), /^text\/javascript/);
  assert.equal(await type("e.webmanifest"), "application/manifest+json");
  assert.equal((await get("/sub/path/e.js")).headers["x-test"], "1");
});

test("byte ranges", async () => {
  const range = async (value) => {
    const { status, headers, body } = await get("/sub/path/a%20b.bin", { Range: value });
    return [status, headers["content-range"], body];
  };
  assert.deepEqual(await range("bytes=2-4"), [206, "bytes 2-4/10", "234"]);
  assert.deepEqual(await range("bytes=7-"), [206, "bytes 7-9/10", "789"]);
  assert.deepEqual(await range("bytes=-3"), [206, "bytes 7-9/10", "789"]);
  assert.deepEqual(await range("bytes=8-99"), [206, "bytes 8-9/10", "89"]);
  assert.deepEqual(await range("bytes=10-"), [416, "bytes */10", ""]);
  assert.deepEqual(await range("bytes=-0"), [416, "bytes */10", ""]);
  assert.deepEqual(await range("bytes=4-2"), [200, undefined, "0123456789"]);
  assert.deepEqual(await range("lines=1-2"), [200, undefined, "0123456789"]);
});

test("conditional and HEAD requests, and an empty file", async () => {
  const { etag } = (await get("/sub/path/a%20b.bin")).headers;
  assert.equal((await get("/sub/path/a%20b.bin", { "If-None-Match": etag })).status, 304);
  const stale = await get("/sub/path/a%20b.bin", { Range: "bytes=2-4", "If-Range": '"old"' });
  assert.deepEqual([stale.status, stale.body], [200, "0123456789"]);
  const head = await get("/sub/path/a%20b.bin", {}, "HEAD");
  assert.deepEqual([head.status, head.headers["content-length"], head.body], [200, "10", ""]);
  assert.deepEqual([(await get("/sub/path/empty.txt")).status, (await get("/sub/path/empty.txt")).body], [200, ""]);
});

test("nothing outside the folder is served", async () => {
  for (const path of ["../secret.txt", "%2e%2e/secret.txt", "..%2fsecret.txt", "link.txt", "%00", "%", "/etc/passwd"]) {
    const { status, body } = await get(`/sub/path/${path}`);
    assert.equal(status, 404, path);
    assert.doesNotMatch(body, /secret|root:/);
  }
});
