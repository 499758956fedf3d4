/* Folders of files in the origin's private file system. */

/** @returns {import("./storage.js").FileStorage} */
export function fileSystem(root) {
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
        // A part of a file must not be taken for the whole.
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
          // A file may be deleted meanwhile.
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
