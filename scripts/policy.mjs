/**
 * Writes another hub into a built page: the address that the page asks for models, and the hosts
 * that its Content-Security-Policy allows. Both stand in www/index.html and nowhere else.
 *
 *   PROMPTLENS_HUB=https://hub.example.org node scripts/policy.mjs [FOLDER]
 *   PROMPTLENS_HUB=none                    a page that asks its own host only
 *   PROMPTLENS_HUB_HOSTS="https://a https://b"   every host that the hub redirects to, with its own
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const HUB = /(<meta name="promptlens-hub" content=")[^"]*(")/;
const HOSTS = /(connect-src 'self')[^;"]*/;

/** The source of a policy: a scheme and a host, whose first part may be a star. */
const SOURCE = /^https?:\/\/(?:\*\.)?[\w.-]+(?::\d+)?$/;

/** `page` for another hub; `hub` is empty for none. */
export function withHub(page, hub, hosts) {
  const bad = hosts.filter((host) => !SOURCE.test(host));
  if (bad.length > 0) throw new Error(`${bad.join(" ")}: a host is written https://example.org`);
  if (hub && !URL.canParse(hub)) throw new Error(`${hub} is no address`);
  for (const part of [HUB, HOSTS]) if (!part.test(page)) throw new Error(`the page has no ${part}`);
  return page.replace(HUB, `$1${hub}$2`).replace(HOSTS, ["$1", ...hosts].join(" "));
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href && process.env.PROMPTLENS_HUB) {
  const file = join(process.argv[2] ?? process.env.TRUNK_STAGING_DIR ?? "dist", "index.html");
  const { PROMPTLENS_HUB: named, PROMPTLENS_HUB_HOSTS: more = "" } = process.env;
  const hub = named === "none" ? "" : named;
  const hosts = more.split(/\s+/).filter(Boolean);
  if (hub) hosts.unshift(new URL(hub).origin);
  await writeFile(file, withHub(await readFile(file, "utf8"), hub, [...new Set(hosts)]));
  console.log(`hub: ${hub || "none"}, allowed: 'self' ${hosts.join(" ")}`);
}
