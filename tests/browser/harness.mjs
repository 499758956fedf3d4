/**
 * What every browser test needs: a static site to look at, a browser that looks at it, and
 * reference material to compare with.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { serve } from "../../scripts/serve.mjs";
import { LAUNCHERS } from "./engines/runs.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const root = resolve(here, "../..");

/** The built site. */
export const DIST = resolve(process.env.PROMPTLENS_DIST ?? join(root, "dist"));

/** The shared reference folder; `null` where it is absent, which CI does not accept. */
export const SHARED = (() => {
  const folder = resolve(process.env.PROMPTLENS_SHARED ?? join(root, "../shared"));
  if (existsSync(folder)) return folder;
  if (process.env.CI) throw new Error(`the shared reference folder is required in CI but ${folder} is absent`);
  return null;
})();

/** For `test(name, { skip: needsShared }, ...)`. */
export const needsShared = SHARED ? false : "../shared is absent";

/** Where screenshots go. */
export const OUT = join(here, "out");

/** A path in the shared reference folder. */
export const shared = (path) => join(SHARED, path);

/** For tests of what browsers do differently: one run in each. */
export const ENGINES = ["chromium", "firefox"];

/** How long a browser may take for one step, in milliseconds. */
const PATIENCE = Number(process.env.PROMPTLENS_PATIENCE ?? 300_000);

/**
 * A browser with an empty profile, with the options of its engine's `open`. `webgpu: false` gives one that offers
 * no adapter. Of the pages of all engines, tests may use `goto` and `evaluate`; the rest of Playwright's page is
 * Chromium's alone.
 */
export function openBrowser({ engine = "chromium", ...options } = {}) {
  return LAUNCHERS[engine].open({ patience: PATIENCE, ...options });
}

/**
 * Serves folders as one site on a free port of 127.0.0.1: `{ "": dist, fixtures: folder }`.
 *
 * @param {Record<string, string>} parts path on the site, and the folder or file that is copied there
 * @param {{port?: number, base?: string, headers?: Record<string, string>}} [options]
 */
export async function openSite(parts, { port, base, headers } = {}) {
  const folder = await mkdtemp(join(tmpdir(), "promptlens-site-"));
  for (const [path, source] of Object.entries(parts)) {
    const target = join(folder, path);
    await mkdir(dirname(target), { recursive: true });
    await cp(source, target, { recursive: true });
  }
  const server = await serve({ root: folder, port, base, headers });
  return {
    url: server.url,
    folder,
    async close() {
      await server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Pages and workers that only tests use; serve them beside the site. */
export const PAGES = join(here, "pages");

/** What the worker module at `script` answers to `request`, in a page. */
export function inWorker(page, script, request) {
  return page.evaluate(
    ([script, request]) =>
      new Promise((resolve, reject) => {
        const worker = new Worker(script, { type: "module" });
        worker.onmessage = ({ data }) => resolve(data);
        worker.onerror = (event) => reject(new Error(event.message));
        worker.postMessage(request);
      }),
    [script, request],
  );
}

/** Keeps the address of every request that a browser makes, workers included. */
export function recordRequests(browser) {
  const seen = [];
  browser.on("request", (request) => seen.push(request.url()));
  return seen;
}

/** The built command line. */
export const program =
  process.env.PROMPTLENS_BIN ?? join(process.env.CARGO_TARGET_DIR ?? join(homedir(), ".cache/promptlens/target"), "release/promptlens");

/** Whether a command of the command line takes an option. */
export async function cliOffers(command, option) {
  const { stdout } = await promisify(execFile)(program, [command, "--help"]);
  return stdout.includes(`${option} `);
}

/** The command line's JSON answer. Its own non-zero exit is fine as long as it answers. */
export async function cli(...args) {
  const run = promisify(execFile)(program, [...args, "--json"], { maxBuffer: 1 << 28 });
  const { stdout } = await run.catch((error) => {
    if (error.stdout) return error;
    throw error;
  });
  return JSON.parse(stdout);
}

/** Reads a safetensors file into `{ metadata, tensors: { name: { shape, data } } }`, for F32, I64 and U8. */
export async function readSafetensors(path) {
  const bytes = await readFile(path);
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  const { __metadata__: metadata = {}, ...entries } = JSON.parse(bytes.subarray(8, start).toString());
  const kinds = { F32: Float32Array, I64: BigInt64Array, U8: Uint8Array };
  const tensors = {};
  for (const [name, { dtype, shape, data_offsets: [from, to] }] of Object.entries(entries)) {
    // A copy, because a typed array must start at a multiple of its element size.
    const copy = bytes.buffer.slice(bytes.byteOffset + start + from, bytes.byteOffset + start + to);
    tensors[name] = { shape, data: new kinds[dtype](copy) };
  }
  return { metadata, tensors };
}

/** Row `i` of a tensor, along its first dimension. */
export function row({ shape, data }, i) {
  const size = data.length / shape[0];
  return data.subarray(i * size, (i + 1) * size);
}

/** max|a - b| / max|b|: the error measure of every golden test. */
export function relativeError(actual, expected) {
  if (actual.length !== expected.length) throw new Error(`${actual.length} values instead of ${expected.length}`);
  let worst = 0;
  let scale = 0;
  for (let i = 0; i < expected.length; i += 1) {
    const difference = Math.abs(actual[i] - expected[i]);
    if (Number.isNaN(difference)) return Infinity;
    worst = Math.max(worst, difference);
    scale = Math.max(scale, Math.abs(expected[i]));
  }
  return worst / scale;
}

/** Cosine similarity of two vectors. */
export function cosine(a, b) {
  if (a.length !== b.length) throw new Error(`${a.length} values instead of ${b.length}`);
  const dot = (x, y) => x.reduce((sum, value, i) => sum + value * y[i], 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}
