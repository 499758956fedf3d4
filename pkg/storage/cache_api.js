/* Folders of files in the Cache API, for browsers without a private file system. */

/** @returns {import("./storage.js").FileStorage} */
export function cacheStorage(cache, root) {
  const base = new URL(`/${root}-store/`, globalThis.location.origin);
  const address = (folder, file) => new URL(`${folder}/${file}`, base).href;
  return {
    kind: "cache",
    async read(folder, file) {
      const answer = await cache.match(address(folder, file));
      return answer ? new Uint8Array(await answer.arrayBuffer()) : null;
    },
    async write(folder, file, bytes) {
      await cache.put(address(folder, file), new Response(bytes, { headers: { "content-length": bytes.byteLength } }));
    },
    async drop(folder, file) {
      await cache.delete(address(folder, file));
    },
    async clear(folder) {
      for (const request of await cache.keys()) {
        if (request.url.startsWith(new URL(`${folder}/`, base).href)) await cache.delete(request);
      }
    },
    async list() {
      const found = [];
      for (const request of await cache.keys()) {
        if (!request.url.startsWith(base.href)) continue;
        const [folder, file] = request.url.slice(base.href.length).split("/");
        const answer = await cache.match(request);
        if (answer) found.push({ folder, file, bytes: Number(answer.headers.get("content-length")) });
      }
      return found;
    },
  };
}
