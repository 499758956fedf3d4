/** The browser of the benches: Chromium, with a software WebGPU adapter if there is no GPU. */
import { chromium } from "playwright-core";
import { ALWAYS, CHROMIUM, SOFTWARE_WEBGPU, WEBGPU } from "../scripts/chromium.mjs";

/** Lets a bench wait for unreachable GPU buffers to go. */
const COLLECT = "--js-flags=--expose-gc";

/** @param {boolean} software whether to take the software adapter though there may be a GPU */
export async function openBrowser(software) {
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    // The flags ask for the new headless mode.
    headless: false,
    args: [...ALWAYS, ...(software ? SOFTWARE_WEBGPU : WEBGPU), COLLECT],
  });
  const page = await browser.newPage();
  page.setDefaultTimeout(0);
  return { browser, page, version: browser.version() };
}
