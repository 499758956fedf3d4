/** Chromium, over the DevTools protocol. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { ALWAYS, CHROMIUM, SOFTWARE_WEBGPU } from "../../../scripts/chromium.mjs";

export const PROGRAM = CHROMIUM;

/**
 * Opens a Chromium with an empty profile. With `webgpu` it has SwiftShader's software adapter, without it none.
 * Service workers are kept out unless a test is about them: they would answer requests that a test wants to see.
 *
 * @param {{webgpu?: boolean, patience: number, args?: string[]}} options `patience`: milliseconds for one step;
 *   the others are Playwright's
 */
export async function open({ webgpu = true, patience, args = [], ...context }) {
  const profile = await mkdtemp(join(tmpdir(), "promptlens-profile-"));
  const browser = await chromium.launchPersistentContext(profile, {
    executablePath: PROGRAM,
    // The flags ask for the new headless mode.
    headless: false,
    // Without scrollbars a full-page picture is as wide as the page, as on a phone.
    args: [...ALWAYS, "--hide-scrollbars", ...(webgpu ? SOFTWARE_WEBGPU : []), ...args],
    viewport: { width: 1280, height: 900 },
    serviceWorkers: "block",
    ...context,
  });
  browser.setDefaultTimeout(patience);
  return {
    browser,
    page: browser.pages()[0],
    version: browser.browser().version(),
    async close() {
      await browser.close();
      await rm(profile, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}
