#!/usr/bin/env node
// Times single kernels in Chromium.
//   node benches/kernels/run.mjs linear    Q8 and f32 products beside the one in whole numbers
//   node benches/kernels/run.mjs logits    logits and entropies of 64 views, by a kernel and on the host
//     (logits.wasm is made as logits.rs says)
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { serve } from "../../scripts/serve.mjs";
import { openBrowser } from "../browser.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const shaders = join(here, "../../shaders");
const texts = (folder) =>
  Object.fromEntries(
    readdirSync(folder)
      .filter((name) => name.endsWith(".wgsl"))
      .map((name) => [name.slice(0, -5), readFileSync(join(folder, name), "utf8")]),
  );

const server = await serve({ root: here });
const { browser, page } = await openBrowser(true);
page.on("console", (message) => console.log(message.text()));
await page.goto(`${server.url}index.html`);
await page.waitForFunction(() => window.kit);
await page.evaluate((all) => window.kit.texts(...all), [texts(join(shaders, "shared")), { ...texts(shaders), ...texts(here) }]);

const SHAPES = [[50, 768, 2304], [50, 768, 768], [50, 768, 3072], [50, 3072, 768], [8, 512, 2048], [8, 2048, 512], [17, 192, 576]];
const TILES = [[13, 8], [8, 8], [8, 4], [5, 4]];

/** In the page: every form of one product, interleaved. */
async function products([m, k, n], tiles) {
  const { empty, filled, uniform, kernel, run, spread, best } = window.kit;
  let state = 7;
  const random = () => (state = (state * 1664525 + 1013904223) >>> 0) / 2 ** 31 - 1;
  const x = filled(Float32Array.from({ length: m * k }, random));
  const dense = filled(Float32Array.from({ length: n * k }, random));
  const packed = filled(Int8Array.from({ length: n * k }, () => random() * 127));
  // 0x2000 is 2^-7 in half precision.
  const scales = filled(new Uint16Array((n * k) / 32).fill(0x2000));
  const params = uniform([m, n, k / 4, k / 64, k]);
  const base = { WORKGROUP: 16, PACKED: 0, Q8: 0, Q4: 0, BIAS: 0, RESIDUAL: 0, ACTIVATE: 0, ACTIVATION: "" };
  const forms = [];
  for (const [ROWS, COLS] of tiles) {
    const groups = spread(Math.ceil(m / ROWS) * Math.ceil(n / COLS), 16);
    const tile = { ...base, ROWS, COLS };
    const q8 = { ...tile, PACKED: 1, Q8: 1, SCALES: 3 };
    const [q, rowScales] = [empty((m * k) / 4), empty(m)];
    const rounded = await kernel("round_rows", { WORKGROUP: 16 }, [x, q, rowScales, uniform([m, k / 4])], spread(m, 16));
    forms.push(
      ["f32", [await kernel("linear", tile, [x, dense, empty(m * n), params], groups)]],
      ["Q8", [await kernel("linear", q8, [x, packed, empty(m * n), scales, params], groups)]],
      ["whole", [rounded, await kernel("linear_integer", { ...q8, ROW_SCALES: 4 }, [q, packed, empty(m * n), scales, rowScales, params], groups)]],
    );
    for (const form of forms.slice(-3)) form.unshift(`${ROWS} x ${COLS}`);
  }
  const times = forms.map(() => []);
  for (let i = 0; i < 16; i += 1) {
    for (const [at, [, , launches]] of forms.entries()) {
      const ms = await run(launches);
      if (i) times[at].push(ms);
    }
  }
  return forms.map(([tile, form, launches], at) => ({
    shape: `${m} x ${k} x ${n}`, tile, form, ...best(times[at]), compile: Math.round(launches.at(-1).compiled),
  }));
}

/** In the page: the kernel's way of 64 views over K classes, and reading either result. */
async function views(classes) {
  const { empty, filled, uniform, read, kernel, run, spread, best } = window.kit;
  const [n, d] = [64, 512];
  const random = (count) => filled(Float32Array.from({ length: count }, () => Math.random() - 0.5));
  const [x, w, z, h] = [random(n * d), random(classes * d), empty(n * classes), empty(n)];
  const base = { ROWS: 16, COLS: 8, WORKGROUP: 16, PACKED: 0, BIAS: 0, RESIDUAL: 0, ACTIVATE: 0 };
  const launches = [
    await kernel("linear", base, [x, w, z, uniform([n, classes, d / 4, 0, d])], spread(4 * Math.ceil(classes / 8), 16)),
    await kernel("entropy", {}, [z, h, uniform([n, classes])], [4, 1, 1]),
  ];
  const times = { kernels: [], "read features": [], "read logits": [] };
  for (let i = 0; i < 15; i += 1) {
    times.kernels.push(await run(launches));
    for (const [what, buffer] of [["read features", x], ["read logits", z]]) {
      const began = performance.now();
      await read(buffer);
      times[what].push(performance.now() - began);
    }
  }
  return Object.entries(times).map(([what, list]) => ({ classes, what, ...best(list) }));
}

console.log(`load ${readFileSync("/proc/loadavg", "utf8").trim()}`);
if (process.argv[2] === "linear") {
  for (const shape of SHAPES) console.table(await page.evaluate(`(${products})(${JSON.stringify(shape)}, ${JSON.stringify(TILES)})`));
} else {
  const wasm = readFileSync(join(process.cwd(), "logits.wasm"));
  const { instance } = await WebAssembly.instantiate(wasm);
  for (const classes of [10, 100, 1000]) {
    const rows = await page.evaluate(`(${views})(${classes})`);
    for (const lanes of [false, true]) {
      const times = [];
      for (let i = 0; i < 15; i += 1) {
        const began = performance.now();
        instance.exports.logits(classes, lanes, 1);
        times.push(performance.now() - began);
      }
      times.sort((a, b) => a - b);
      rows.push({ classes, what: `host, ${lanes ? "lanes" : "one sum"}`, least: times[0].toFixed(2), median: times[7].toFixed(2) });
    }
    console.table(rows);
  }
}
await browser.close();
await server.close();
