/** What this browser stores for the page's work. */
import { cacheStorage } from "../pkg/storage/cache_api.js";

/** The cache of prompt files: unlike the private file system, every browser lets a page write it. */
const CACHE = "promptlens-work";

export const browserStores = () => ({
  tab: storageCalled("sessionStorage"),
  site: storageCalled("localStorage"),
  openFiles: async () => cacheStorage(await caches.open(CACHE), CACHE),
});

/** A page inside a sandbox has no storage. @returns {Storage | null} */
function storageCalled(name) {
  try {
    return globalThis[name];
  } catch {
    return null;
  }
}
