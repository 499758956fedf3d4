/*
 * Where the browser keeps files: folders of named files in the origin's private file system, or in
 * the Cache API where there is none. Nothing here knows what a model is.
 */

const ROOT = "promptlens";

/**
 * @typedef {object} Shelf
 * @property {"opfs" | "cache"} kind
 * @property {(folder: string, file: string) => Promise<Uint8Array | null>} read `null` where there is none
 * @property {(folder: string, file: string, bytes: Uint8Array) => Promise<void>} write rejects with
 *   `QuotaExceededError` where there is no room
 * @property {(folder: string, file: string) => Promise<void>} drop
 * @property {(folder: string) => Promise<void>} clear
 * @property {() => Promise<{folder: string, file: string, bytes: number}[]>} list
 */

/** @returns {Promise<Shelf | null>} `null` where the browser keeps nothing */
export async function openShelf() {
  try {
    const root = await navigator.storage.getDirectory();
    return fileSystem(await root.getDirectoryHandle(ROOT, { create: true }));
  } catch {
    // No such file system, or not for this page.
  }
  try {
    return cacheStorage(await caches.open(ROOT));
  } catch {
    return null;
  }
}

/** @returns {Shelf} */
function fileSystem(root) {
  const absent = (error) => error.name === "NotFoundError" || error.name === "TypeMismatchError";
  const missing = (error) => {
    if (!absent(error)) throw error;
    return null;
  };
  return {
    kind: "opfs",
    async read(folder, file) {
      try {
        const handle = await (await root.getDirectoryHandle(folder)).getFileHandle(file);
        return new Uint8Array(await (await handle.getFile()).arrayBuffer());
      } catch (error) {
        return missing(error);
      }
    },
    async write(folder, file, bytes) {
      const parent = await root.getDirectoryHandle(folder, { create: true });
      const handle = await parent.getFileHandle(file, { create: true });
      try {
        await (handle.createSyncAccessHandle ? writeNow(handle, bytes) : writeLater(handle, bytes));
      } catch (error) {
        // A part of a file must not be taken for it.
        await parent.removeEntry(file).catch(() => {});
        throw error;
      }
    },
    async drop(folder, file) {
      await root
        .getDirectoryHandle(folder)
        .then((parent) => parent.removeEntry(file))
        .catch(missing);
    },
    async clear(folder) {
      await root.removeEntry(folder, { recursive: true }).catch(missing);
    },
    async list() {
      const found = [];
      for await (const [folder, parent] of root.entries()) {
        if (parent.kind !== "directory") continue;
        for await (const [file, handle] of parent.entries()) {
          // A file may go while it is looked at.
          const size = await handle.getFile?.().then((f) => f.size, () => null);
          if (typeof size === "number") found.push({ folder, file, bytes: size });
        }
      }
      return found;
    },
  };
}

/** In a worker: no second copy while writing. */
async function writeNow(handle, bytes) {
  const access = await handle.createSyncAccessHandle();
  try {
    access.truncate(0);
    let at = 0;
    while (at < bytes.byteLength) {
      const written = access.write(bytes.subarray(at), { at });
      if (written === 0) throw new DOMException("The disk took no more bytes.", "QuotaExceededError");
      at += written;
    }
    access.flush();
  } finally {
    access.close();
  }
}

async function writeLater(handle, bytes) {
  const stream = await handle.createWritable();
  await stream.write(bytes);
  await stream.close();
}

/** @returns {Shelf} */
function cacheStorage(cache) {
  const base = new URL(`/${ROOT}-store/`, globalThis.location.origin);
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

/** Whether an error says that there is no room. */
export const isFull = (error) => error?.name === "QuotaExceededError";
