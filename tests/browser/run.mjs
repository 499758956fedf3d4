/**
 * Runs the browser tests, two files at a time: each has a browser and a site of its own, and the
 * engine is one thread. Files that mostly wait run beside them.
 *
 *   node run.mjs            all but the rare ones
 *   node run.mjs --all      those too
 *   node run.mjs FILE...    these
 */
import { readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
/** They write checkpoints of full size, gigabytes in every layout: to be run when readers of checkpoints change. */
const RARE = ["checkpoint.test.mjs"];

const given = process.argv.slice(2);
const every = readdirSync(here).filter((name) => name.endsWith(".test.mjs"));
const usual = every.filter((name) => !RARE.includes(name));
const files = given.length === 0 ? usual : given[0] === "--all" ? every : given;

/** The longest first, so that none of them is left over at the end; the others in any order. */
const LONG = ["checkpoint.test.mjs", "soak.test.mjs", "engines.test.mjs", "kernels.test.mjs", "sort.test.mjs", "frozen.test.mjs", "offline.test.mjs", "many.test.mjs", "live.test.mjs", "kept.test.mjs", "share.test.mjs", "page.test.mjs", "hub.test.mjs", "negatives.test.mjs"];
/** They wait, for servers that stall and for other programs, more than they compute. */
const WAITING = ["hostile.test.mjs", "models.test.mjs", "npm.test.mjs"];

const rank = (name) => (LONG.includes(name) ? LONG.indexOf(name) : LONG.length);
const together = files.filter((name) => !WAITING.includes(name)).sort((a, b) => rank(a) - rank(b));
const waiting = files.filter((name) => WAITING.includes(name));

/** Milliseconds by file. */
const took = new Map();

async function runAll(names, concurrency) {
  if (names.length === 0) return;
  const events = run({ files: names.map((name) => join(here, name)), concurrency });
  const note = ({ file, nesting, details }) => nesting === 0 && took.set(file, (took.get(file) ?? 0) + details.duration_ms);
  events.on("test:pass", note);
  events.on("test:fail", (event) => {
    process.exitCode = 1;
    note(event);
  });
  await new Promise((done, fail) => events.compose(spec).on("error", fail).on("end", done).pipe(process.stdout, { end: false }));
}

await Promise.all([runAll(together, 2), runAll(waiting, 1)]);

if (given.length === 0) console.log(`\nleft out: ${RARE.join(", ")} (node run.mjs --all)`);
console.log("\nseconds by file");
for (const [file, ms] of [...took].sort((a, b) => b[1] - a[1])) console.log(`${(ms / 1000).toFixed(1).padStart(7)}  ${basename(file)}`);
