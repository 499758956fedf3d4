/**
 * Serves the page of checks for a browser that no test drives, such as Safari.
 *
 *   node tests/browser/engines/by-hand.mjs [PORT]
 */
import { openEngineSite } from "./site.mjs";

const { url } = await openEngineSite({ port: Number(process.argv[2] ?? 8081) });
for (const device of ["cpu", "webgpu"]) console.log(`${url}test/engines/checks.html?device=${device}`);
