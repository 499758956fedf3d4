/** What was computed for photos, in this browser's IndexedDB. */

const DATABASE = "promptlens-photos";
const RECORDS = "records";
const ABOUT = "about";
/** Bytes of all records, at most; the oldest make room. */
const MOST_BYTES = 64 * 1024 * 1024;

/** A request as a promise. */
const asked = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

/** Settled once a transaction is. */
const settled = (transaction) =>
  new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error ?? new Error("The browser ended the transaction."));
  });

/**
 * Opens the store.
 *
 * @param {number} [most] bytes
 * @returns {Promise<PhotoStore>}
 */
export async function openPhotoStore(most = MOST_BYTES) {
  const request = indexedDB.open(DATABASE, 1);
  request.onupgradeneeded = () => {
    request.result.createObjectStore(RECORDS, { keyPath: "key" }).createIndex("age", "age");
    request.result.createObjectStore(ABOUT);
  };
  const database = await asked(request);
  // Another tab that deletes the data of this site must not wait for this one.
  database.onversionchange = () => database.close();
  return new PhotoStore(database, most);
}

class PhotoStore {
  #database;
  #most;

  constructor(database, most) {
    this.#database = database;
    this.#most = most;
  }

  /** The value of `key`, or `undefined`. */
  async read(key) {
    const record = await asked(this.#database.transaction(RECORDS).objectStore(RECORDS).get(key));
    return record?.value;
  }

  /** @param {string} key @param {any} value @param {number} bytes about how large it is */
  async write(key, value, bytes) {
    const transaction = this.#database.transaction([RECORDS, ABOUT], "readwrite");
    const done = settled(transaction);
    const records = transaction.objectStore(RECORDS);
    const about = transaction.objectStore(ABOUT);
    const before = await asked(records.get(key));
    const usage = (await asked(about.get("usage"))) ?? empty();
    usage.count += before ? 0 : 1;
    usage.bytes += bytes - (before?.bytes ?? 0);
    usage.age += 1;
    records.put({ key, value, bytes, age: usage.age });
    if (usage.bytes > this.#most) await makeRoom(records, usage, this.#most * 0.9);
    about.put(usage, "usage");
    await done;
    return usage;
  }

  /** How many records there are, and their bytes. */
  async usage() {
    return (await asked(this.#database.transaction(ABOUT).objectStore(ABOUT).get("usage"))) ?? empty();
  }

  async clear() {
    const transaction = this.#database.transaction([RECORDS, ABOUT], "readwrite");
    const done = settled(transaction);
    transaction.objectStore(RECORDS).clear();
    transaction.objectStore(ABOUT).clear();
    await done;
  }
}

/** `age` counts writes: no clock decides what is old. */
const empty = () => ({ count: 0, bytes: 0, age: 0 });

/** Deletes the oldest records until `usage.bytes` is `most` or less. */
function makeRoom(records, usage, most) {
  return new Promise((resolve, reject) => {
    const request = records.index("age").openCursor();
    request.onerror = () => reject(request.error);
    request.onsuccess = () => {
      const cursor = request.result;
      if (cursor === null || usage.bytes <= most) return resolve();
      usage.bytes -= cursor.value.bytes;
      usage.count -= 1;
      cursor.delete();
      cursor.continue();
    };
  });
}
