/*
 * Workers of the package.
 *
 * A browser starts workers only from the page's own origin. If the package is elsewhere (on a CDN), a
 * small module in a blob of the page's origin imports the worker.
 */

/**
 * A worker with the engine, running `worker.js`.
 *
 * @returns {{worker: Worker, started: () => void}} call `started` after the worker's first message
 */
export function startEngine() {
  // Bundlers find a worker by exactly this expression.
  if (isOwnOrigin()) return own(new Worker(new URL("./worker.js", import.meta.url), { type: "module", name: "promptlens" }));
  return foreign("./worker.js", "promptlens");
}

/**
 * A worker that makes views of photos, running `view_worker.js`.
 *
 * @returns {{worker: Worker, started: () => void}} call `started` after the worker's first message
 */
export function startViewMaker() {
  if (isOwnOrigin()) return own(new Worker(new URL("./view_worker.js", import.meta.url), { type: "module", name: "promptlens views" }));
  return foreign("./view_worker.js", "promptlens views");
}

function isOwnOrigin() {
  return new URL(import.meta.url).origin === globalThis.location?.origin;
}

const own = (worker) => ({ worker, started() {} });

function foreign(file, name) {
  const shim = URL.createObjectURL(new Blob([shimFor(new URL(file, import.meta.url).href)], { type: "text/javascript" }));
  const worker = new Worker(shim, { type: "module", name });
  // Revoking earlier would race with the worker's own fetch of the blob.
  return { worker, started: () => URL.revokeObjectURL(shim) };
}

/**
 * A module that becomes the one at `address`. It imports dynamically: for a policy, a static import of
 * a worker is a worker itself, and `worker-src` would have to name the other origin beside
 * `script-src`. Messages that come before the import has finished would be lost; they are passed on.
 */
function shimFor(address) {
  return `const early = [];
const keep = ({ data }) => early.push(data);
self.addEventListener("message", keep);
import(${JSON.stringify(address)}).then(
  () => {
    self.removeEventListener("message", keep);
    for (const data of early) self.dispatchEvent(new MessageEvent("message", { data }));
  },
  (error) => setTimeout(() => { throw error; }),
);
`;
}
