/** The test site with the page of checks, its pictures and the built-in model. */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { DIST, openSite, PAGES } from "../harness.mjs";

const here = dirname(fileURLToPath(import.meta.url));

/** @param {{port?: number}} [options] a free port if it is left out */
export const openEngineSite = (options) =>
  openSite({ "": DIST, test: PAGES, "test/engines": here, files: join(here, "../../image/files") }, options);
