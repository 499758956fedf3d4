/** The browser engines of the tests, and on which devices each is checked. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import * as chromium from "./chromium.mjs";
import * as firefox from "./firefox.mjs";
import * as webkit from "./webkit.mjs";

/** `PROGRAM` is what must be there; `open` starts it. */
export const LAUNCHERS = { chromium, firefox, webkit };

/** As people call them. `adapter` is the software one that WebGPU computes on. */
export const RUNS = [
  { engine: "chromium", name: "Chromium", device: "cpu", adapter: null },
  { engine: "chromium", name: "Chromium", device: "webgpu", adapter: "SwiftShader" },
  { engine: "firefox", name: "Firefox", device: "cpu", adapter: null },
  { engine: "firefox", name: "Firefox", device: "webgpu", adapter: "lavapipe" },
  { engine: "webkit", name: "WebKitGTK", device: "cpu", adapter: null },
];

/** The checks of one run, in their order. The self-test is part of loading. */
export const checksOf = ({ device }) => ["load", "classify", "tune", "teach", "calibrate", ...(device === "webgpu" ? ["kernels"] : [])];

/** What the README calls the device of a run. */
export const deviceName = ({ adapter }) => (adapter ? `WebGPU (${adapter})` : "CPU");

/** The rows of the README's table of browsers. */
export async function compatibility() {
  const readme = await readFile(new URL("../../../README.md", import.meta.url), "utf8");
  const [, section] = /^## Browsers\n([\s\S]*?)^## /m.exec(readme);
  return [...section.matchAll(/^\| (?!browser|---)([^|]+) \| ([\d.]+) \| ([^|]+) \| ([^|]+) \|$/gm)].map(([, name, version, device, checks]) => ({
    name,
    version,
    device,
    checks: checks.split(", "),
  }));
}

/** The largest difference to the command line on the CPU, of a probability. */
export const TOLERANCE = { cpu: 1e-5, webgpu: 1e-3 };

/**
 * For `describe(name, { skip: missing(engine) }, ...)`: why an engine cannot be tested here, or `false`. CI does
 * without none of them.
 */
export function missing(engine) {
  const { PROGRAM } = LAUNCHERS[engine];
  if (existsSync(PROGRAM)) return false;
  if (process.env.CI) throw new Error(`${engine} is required in CI, but ${PROGRAM} is absent; scripts/setup.sh installs it`);
  return `${engine} is absent: scripts/setup.sh installs it`;
}
