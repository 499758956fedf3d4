// The hub's address and the hosts that the page's policy allows: one place, and what a build makes of it.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { HUB } from "../../pkg/source/hub.js";
import { withHub } from "../../scripts/policy.mjs";

const ROOT = resolve(fileURLToPath(import.meta.url), "../../..");
const text = (path) => readFile(join(ROOT, path), "utf8");
const page = await text("www/index.html");
const hosts = (policy) => /connect-src ([^;"]*)/.exec(policy)[1];

test("documents name the policy of the page", async () => {
  const [, policy] = /Content-Security-Policy"\s+content="([^"]+)"/.exec(page);
  assert.ok((await text("docs/guide/hosting.md")).includes(`Content-Security-Policy: ${policy}; frame-ancestors 'self'`));
  const named = hosts(policy).replace("'self' ", "");
  for (const path of ["docs/reference/checkpoints.md", "pkg/README.md"]) assert.ok((await text(path)).includes(`\`${named}\``), path);
  assert.ok(page.includes(`<meta name="promptlens-hub" content="${HUB}" />`));
});

test("a build for another hub asks that, and one for none allows no other host", () => {
  const other = withHub(page, "https://hub.example.org/mirror", ["https://hub.example.org", "https://*.example.net"]);
  assert.equal(hosts(other), "'self' https://hub.example.org https://*.example.net");
  assert.ok(other.includes('<meta name="promptlens-hub" content="https://hub.example.org/mirror" />'));
  const none = withHub(page, "", []);
  assert.equal(hosts(none), "'self'");
  assert.ok(none.includes('<meta name="promptlens-hub" content="" />'));
  for (const bad of ["*", "https://a.org; script-src *", "javascript:x", "https://a.org'"]) {
    assert.throws(() => withHub(page, "", [bad]), /a host is written/);
  }
  assert.throws(() => withHub("<html>", "", []), /the page has no/);
});
