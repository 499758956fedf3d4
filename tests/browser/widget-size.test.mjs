// What <prompt-lens> loads is what scripts/widget-size.mjs counts and docs/guide/embed.md states.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { widgetSize } from "../../scripts/widget-size.mjs";
import { DIST, openBrowser, openSite, recordRequests } from "./harness.mjs";

/** Numbers in the guide may be that far from those of another build of the engine. */
const NEAR = 0.1;

test("the widget loads the files whose sizes are stated, and no others", { timeout: 600_000 }, async () => {
  const site = await openSite({ "": DIST });
  const session = await openBrowser({ webgpu: false });
  try {
    await writeFile(join(site.folder, "size.html"), '<!doctype html><script type="module" src="pkg/element.js"></script><prompt-lens labels="cat, dog" device="cpu"></prompt-lens>');
    const requests = recordRequests(session.browser);
    await session.page.goto(`${site.url}size.html`);
    await session.page.setInputFiles("prompt-lens input[type=file]", join(DIST, "samples/cat.jpg"));
    await session.page.waitForSelector("prompt-lens li");
    const loaded = new Set(requests.filter((url) => url.startsWith(`${site.url}pkg/`)).map((url) => url.slice(`${site.url}pkg/`.length)));
    const parts = await widgetSize(join(DIST, "pkg"));
    assert.deepEqual([...loaded].sort(), parts.flatMap(({ files }) => files).sort());

    const guide = await readFile(fileURLToPath(new URL("../../docs/guide/embed.md", import.meta.url)), "utf8");
    const rows = [...guide.matchAll(/^\| [a-z ()W]+ \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \|$/gim)].map(([, ...cells]) => cells.map((cell) => Number(cell.replaceAll(",", ""))));
    assert.equal(rows.length, parts.length);
    for (const [i, { what, files, bytes, gzip }] of parts.entries()) {
      assert.equal(rows[i][0], files.length, what);
      for (const [stated, found] of [[rows[i][1], bytes], [rows[i][2], gzip]]) assert.ok(Math.abs(stated - found / 1000) <= NEAR * stated, `${what}: ${stated} kB are stated, ${found} bytes found`);
    }
  } finally {
    await session.close();
    await site.close();
  }
});
