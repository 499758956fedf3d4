/*
 * Keeps the site on this device: the shell, and documents if the host has them, when it is
 * installed; the engine when it is first used.
 * Nothing else is touched: the engine stores models by itself.
 *
 * Every file is kept under the hash of its content, so a new version fetches only what has changed,
 * and the files of one version always belong together. `FILES` is filled in by
 * scripts/precache.mjs: path -> [SHA-256, "shell" | "document" | "later"].
 */
/* global clients */
const FILES = {};

const CACHE = "promptlens-files";
/** The cache in which a shared photo waits for the page. */
const SHARED = "promptlens-shared";

const SCOPE = new URL(self.registration.scope);
const address = (path) => new URL(path, SCOPE).href;
/** What a file is kept under. */
const key = (path) => `${address(path)}?sha256=${FILES[path][0]}`;

self.addEventListener("install", (event) => event.waitUntil(install()));
self.addEventListener("activate", (event) => event.waitUntil(activate()));
self.addEventListener("message", (event) => {
  const { data } = event;
  if (data === "update") self.skipWaiting();
  if (data === "keep") event.waitUntil(keepLater());
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (url.origin !== SCOPE.origin || !url.pathname.startsWith(SCOPE.pathname)) return;
  const path = url.pathname.slice(SCOPE.pathname.length) || "index.html";
  if (request.method === "POST" && path === "share") event.respondWith(share(request));
  if (request.method !== "GET" || !Object.hasOwn(FILES, path)) return;
  event.respondWith(serve(path, request));
});

async function install() {
  const cache = await caches.open(CACHE);
  const keepAll = (kind) => Object.keys(FILES).filter((path) => FILES[path][1] === kind).map((path) => keep(cache, path));
  await Promise.all(keepAll("shell"));
  // A host that has no document to show does not keep the app from being installed.
  await Promise.allSettled(keepAll("document"));
  // The first version has no page to disturb; a later one waits until the user wants it.
  if (!self.registration.active) await self.skipWaiting();
}

/** For a page that loaded before this worker controlled it: keeps what it has used by now. */
async function keepLater() {
  const cache = await caches.open(CACHE);
  const later = Object.keys(FILES).filter((path) => FILES[path][1] === "later");
  await Promise.allSettled(later.map((path) => keep(cache, path)));
}

async function activate() {
  const cache = await caches.open(CACHE);
  const wanted = new Set(Object.keys(FILES).map(key));
  const kept = await cache.keys();
  await Promise.all(kept.filter(({ url }) => !wanted.has(url)).map((request) => cache.delete(request)));
  await clients.claim();
}

/** Fetches a file that is not kept yet, past the browser's own cache, and keeps it if it is the right one. */
async function keep(cache, path) {
  if (await cache.match(key(path))) return;
  const response = await fetch(address(path), { cache: "no-cache" });
  if (!response.ok) throw new Error(`${path} answered ${response.status}`);
  if (!(await put(cache, path, response))) throw new Error(`${path} is of another version`);
}

/** Keeps a file's answer, unless its bytes are those of another version. */
async function put(cache, path, response) {
  const bytes = await response.arrayBuffer();
  if (!(await matches(path, bytes))) return false;
  // The body is kept decoded, so the header about its encoding is left out.
  const headers = { "content-type": response.headers.get("content-type") ?? "", "content-length": String(bytes.byteLength) };
  await cache.put(key(path), new Response(bytes, { headers }));
  return true;
}

async function serve(path, request) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(key(path));
  // Only what is downloaded in parts is asked for by ranges, and parts are not kept here.
  const part = request.headers.has("range");
  if (kept && !part) return kept;
  const response = await fetch(request);
  // What fails here costs the next visit a download and nothing else.
  if (FILES[path][1] !== "shell" && response.status === 200 && !part) put(cache, path, response.clone()).catch(() => {});
  return response;
}

async function matches(path, bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("") === FILES[path][0];
}

/** Photos that another app shares: they wait in a cache until the page takes them. */
async function share(request) {
  const form = await request.formData();
  const cache = await caches.open(SHARED);
  let count = 0;
  for (const file of form.getAll("photos")) {
    if (!(file instanceof File)) continue;
    const headers = { "content-type": file.type, "x-file-name": encodeURIComponent(file.name) };
    await cache.put(address(`shared/${Date.now()}-${count}`), new Response(file, { headers }));
    count += 1;
  }
  return Response.redirect(address("./?shared"), 303);
}
