/**
 * Firefox as its makers publish it, over WebDriver BiDi. Playwright drives only a Firefox of its own build, or a
 * newer one than Debian's.
 */
import puppeteer from "puppeteer-core";

/** The program; scripts/lib.sh finds one on this machine and names it. */
export const PROGRAM = process.env.PROMPTLENS_FIREFOX ?? "/usr/bin/firefox-esr";

/** WebGPU in pages and in workers, on whatever Vulkan adapter there is: a software one on a machine without a GPU. */
const WEBGPU = { "dom.webgpu.enabled": true, "dom.webgpu.workers.enabled": true, "gfx.webgpu.ignore-blocklist": true };

/**
 * Opens a Firefox with an empty profile. Without `webgpu` it has no adapter.
 *
 * @param {{webgpu?: boolean, patience: number}} options `patience`: milliseconds for one step
 */
export async function open({ webgpu = true, patience }) {
  const browser = await puppeteer.launch({
    browser: "firefox",
    executablePath: PROGRAM,
    extraPrefsFirefox: webgpu ? WEBGPU : { "dom.webgpu.enabled": false },
    // Loading a model is one step.
    protocolTimeout: patience,
    defaultViewport: { width: 1280, height: 900 },
  });
  const [page] = await browser.pages();
  page.setDefaultTimeout(patience);
  // "firefox/153.8.0"
  const [, version] = (await browser.version()).split("/");
  return { browser, page, version, close: () => browser.close() };
}
