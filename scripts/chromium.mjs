/** Where Chromium is and how the tests and the benches start it: the only place of its flags. */

/** The program; scripts/lib.sh finds one on this machine and names it. */
export const CHROMIUM = process.env.PROMPTLENS_CHROMIUM ?? "/usr/bin/chromium";

/** For every browser. The old headless shell, which playwright would ask for, has no WebGPU. */
export const ALWAYS = [
  "--headless=new",
  "--no-sandbox",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** WebGPU on Linux, on the GPU if there is one. */
export const WEBGPU = ["--enable-unsafe-webgpu", "--ignore-gpu-blocklist"];

/** A software WebGPU adapter, in pages and in workers, for machines without a GPU. */
export const SOFTWARE_WEBGPU = [...WEBGPU, "--use-webgpu-adapter=swiftshader", "--enable-unsafe-swiftshader"];
