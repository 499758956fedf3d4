#!/usr/bin/env node
// Writes what ships, in CycloneDX 1.5, and a list of its licences: every crate that is linked into the engine
// of the page and the package, and into the command line, with the models beside the page.
//   node scripts/sbom.mjs [FOLDER]      default: dist
// Which crates are linked is what `cargo tree` says, without build scripts and macros; licences are what they
// declare, or what `cargo deny list` reads in their licence files.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "..");

/** What ships, and the target that it is built for. */
export const SHIPPED = { web: "wasm32-unknown-unknown", cli: "x86_64-unknown-linux-gnu" };

const run = async (...args) =>
  (await promisify(execFile)("cargo", args, { cwd: ROOT, maxBuffer: 1 << 26, env: { ...process.env, CARGO_NET_OFFLINE: "true" } })).stdout;

/**
 * The crates on the other side of these kinds of edges, with what they depend on.
 *
 * @param {string} target
 * @param {string} edges as `cargo tree -e` takes them
 */
export async function crates(target, edges) {
  const format = "\t{p}\t{l}\t{r}";
  const lines = (await run("tree", "--locked", "--offline", "-e", edges, "--target", target, "--prefix", "depth", "-f", format)).split("\n");
  const found = new Map();
  /** The crates from the root to the line before. */
  const path = [];
  for (const line of lines.filter(Boolean)) {
    // What a crate depends on is told where it comes first; later lines end with a star.
    const [depth, crate, license, repository] = line.replace(/ \(\*\)$/, "").split("\t");
    const [name, version] = crate.split(" ");
    const key = `${name} ${version.slice(1)}`;
    if (!found.has(key)) found.set(key, { name, version: version.slice(1), license, repository, uses: new Set() });
    path.length = Number(depth);
    if (path.length > 0) found.get(path.at(-1)).uses.add(key);
    path.push(key);
  }
  return found;
}

/** The licences of every crate that cargo-deny finds for `target`, by `name version`. */
export async function licensesByDeny(target) {
  const listed = JSON.parse(await run("deny", "--locked", "--offline", "--exclude-dev", "--target", target, "list", "--format", "json", "--layout", "crate"));
  return new Map(Object.entries(listed).map(([crate, { licenses }]) => [crate.split(" ").slice(0, 2).join(" "), licenses]));
}

/** SHA-256 of every crate's archive, by `name version`, as Cargo.lock pins it. */
async function checksums() {
  const lock = await readFile(join(ROOT, "Cargo.lock"), "utf8");
  const packages = lock.matchAll(/\[\[package\]\]\nname = "([^"]+)"\nversion = "([^"]+)"\n(?:source = "[^"]+"\n)?(?:checksum = "([0-9a-f]{64})")?/g);
  return new Map([...packages].map(([, name, version, checksum]) => [`${name} ${version}`, checksum]));
}

/** The models that lie beside the page. Their licences are told in their model cards. */
async function models() {
  const folder = join(ROOT, "www/models");
  const all = await readdir(folder, { withFileTypes: true });
  return Promise.all(
    all.filter((entry) => entry.isDirectory()).map(async ({ name }) => ({
      type: "machine-learning-model",
      "bom-ref": `models/${name}`,
      name,
      hashes: [{ alg: "SHA-256", content: createHash("sha256").update(await readFile(join(folder, name, "model.safetensors"))).digest("hex") }],
      licenses: [{ license: { name: `see www/models/${name}/README.md` } }],
    })),
  );
}

const reference = (key) => `pkg:cargo/${key.replace(" ", "@")}`;

/** What is shipped as `what`, as a CycloneDX document. @param {keyof typeof SHIPPED} what */
export async function sbom(what) {
  const target = SHIPPED[what];
  const [linked, byDeny, sums] = await Promise.all([crates(target, "normal,no-proc-macro"), licensesByDeny(target), checksums()]);
  const [[own, self], ...others] = linked;
  const component = ([key, { name, version, license, repository }]) => {
    // Old crates write "/" for "OR".
    const expression = license.replace(/\s*\/\s*/g, " OR ") || (byDeny.get(key) ?? []).join(" AND ");
    if (!expression) throw new Error(`${key} states no licence, and cargo-deny finds none in its files`);
    const hashes = sums.get(key) ? [{ alg: "SHA-256", content: sums.get(key) }] : undefined;
    const externalReferences = repository ? [{ type: "vcs", url: repository }] : undefined;
    return { type: "library", "bom-ref": reference(key), name, version, purl: reference(key), hashes, licenses: [{ expression }], externalReferences };
  };
  const shipped = what === "web" ? await models() : [];
  const components = [...others.map(component).sort((a, b) => (a.purl < b.purl ? -1 : 1)), ...shipped];
  return {
    bomFormat: "CycloneDX",
    specVersion: "1.5",
    version: 1,
    metadata: { component: { ...component([own, self]), type: "application" } },
    components,
    dependencies: [...linked].map(([key, { uses }]) => ({ ref: reference(key), dependsOn: [...uses].map(reference).sort() })),
  };
}

/** One line for each part of a document: name, version, licence. */
export const licenseList = ({ components }) =>
  components.map(({ name, version, licenses: [{ expression, license }] }) => `${[name, version].filter(Boolean).join(" ")}\t${expression ?? license.name}\n`).join("");

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const folder = resolve(process.argv[2] ?? join(ROOT, "dist"));
  await mkdir(folder, { recursive: true });
  for (const what of Object.keys(SHIPPED)) {
    const made = await sbom(what);
    await writeFile(join(folder, `sbom-${what}.cdx.json`), `${JSON.stringify(made, null, 2)}\n`);
    await writeFile(join(folder, `licenses-${what}.txt`), licenseList(made));
    console.log(`${what}: ${made.components.length} parts with a licence each, in ${join(folder, `sbom-${what}.cdx.json`)}`);
  }
}
