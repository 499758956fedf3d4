/** The browser of the benches: Chromium with a software WebGPU adapter where there is no GPU. */
import { chromium } from "playwright-core";

const ARGUMENTS = [
  "--headless=new",
  "--no-sandbox",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--enable-unsafe-webgpu",
  "--ignore-gpu-blocklist",
  // Lets a bench wait for unreachable GPU buffers to go.
  "--js-flags=--expose-gc",
];
const SOFTWARE = ["--use-webgpu-adapter=swiftshader", "--enable-unsafe-swiftshader"];

/** @param {boolean} software whether to take the software adapter though there may be a GPU */
export async function openBrowser(software) {
  const browser = await chromium.launch({
    executablePath: process.env.PROMPTLENS_CHROMIUM ?? "/usr/bin/chromium",
    // The old headless shell, which playwright would ask for, has no WebGPU.
    headless: false,
    args: software ? [...ARGUMENTS, ...SOFTWARE] : ARGUMENTS,
  });
  const page = await browser.newPage();
  page.setDefaultTimeout(0);
  return { browser, page, version: browser.version() };
}
