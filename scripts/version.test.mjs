import assert from "node:assert/strict";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { execFile } from "node:child_process";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { notes, versions } from "./version.mjs";

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const FILES = ["Cargo.toml", "Cargo.lock", "fuzz/Cargo.lock", "pkg/package.json", "CHANGELOG.md", "scripts/version.mjs"];

test("every file that states the version states that of Cargo.toml, and CHANGELOG.md has its section", async () => {
  const all = await versions();
  const version = all["Cargo.toml"];
  assert.match(version, /^\d+\.\d+\.\d+$/);
  assert.deepEqual(all, Object.fromEntries(Object.keys(all).map((path) => [path, version])));
  assert.match(await notes(version), /^### /);
});

test("a file with another version and a missing section are refused by name", async () => {
  const folder = await mkdtemp(join(tmpdir(), "version-"));
  try {
    for (const path of FILES) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await cp(join(ROOT, path), join(folder, path));
    }
    const change = async (path, from, to) => writeFile(join(folder, path), (await readFile(join(folder, path), "utf8")).replace(from, to));
    const run = () => promisify(execFile)(process.execPath, [join(folder, "scripts/version.mjs")]);
    assert.match((await run()).stdout, /^\d+\.\d+\.\d+\n$/);
    await change("pkg/package.json", /"version": "[^"]+"/, '"version": "9.9.9"');
    await assert.rejects(run, /pkg\/package\.json says 9\.9\.9/);
    await cp(join(ROOT, "pkg/package.json"), join(folder, "pkg/package.json"));
    await change("CHANGELOG.md", /^## \d.*$/gm, "## Earlier");
    await assert.rejects(run, /CHANGELOG\.md has no section/);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
