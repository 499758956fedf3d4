#!/usr/bin/env node
// Renders the documents of the project and the model cards as pages of the site, with an index to search.
//   node scripts/site/documents.mjs [FOLDER]      default: www/docs, which Trunk copies into the site
// The pages need no script to be read. Markdown is marked's; HTML inside it is shown as text.
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join, posix, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { page } from "./page.mjs";
import { render } from "./render.mjs";

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const OUT = resolve(process.argv[2] ?? join(ROOT, "www/docs"));

/** The sections of the navigation, and their files: listed ones first, then the others of a folder. */
const SECTIONS = [
  ["Start", ["README.md", "docs/guide/getting-started.md"], null],
  ["Guides", [], "docs/guide"],
  ["Reference", ["pkg/README.md", "docs/reference/api.md", "docs/reference/errors.md"], "docs/reference"],
  ["Models", ["www/models/mini/README.md", "www/models/mini-vit/README.md"], null],
  ["Design", ["docs/design/architecture.md"], "docs/design"],
  ["Measurements", ["BENCHMARKS.md", "benches/reports/README.md"], null],
  ["Project", ["CHANGELOG.md", "RELIABILITY.md", "SECURITY.md", "CONTRIBUTING.md"], null],
];
/** Names in the navigation, for files whose titles say too little there. */
const NAMES = { "README.md": "Overview", "pkg/README.md": "The npm package", "benches/reports/README.md": "Reports", "BENCHMARKS.md": "Benchmarks" };
/** Rendered, and reached by links only. */
const LINKED = ["benches/reports"];

const markdownOf = async (folder) => (await readdir(join(ROOT, folder))).filter((name) => name.endsWith(".md")).sort().map((name) => `${folder}/${name}`);

/** The page of a file of the project, from the folder of the documents. */
const addressOf = (path) =>
  path
    .replace(/^(docs|www)\//, "")
    .replace(/(^|\/)README\.md$/, "$1index.html")
    .replace(/\.md$/, ".html");

const sections = [];
const seen = new Set();
for (const [title, first, folder] of SECTIONS) {
  const paths = [...first, ...(folder ? await markdownOf(folder) : [])].filter((path) => !seen.has(path) && seen.add(path));
  sections.push({ title, paths });
}
const paths = [...sections.flatMap((section) => section.paths), ...(await Promise.all(LINKED.map(markdownOf))).flat()].filter((path, i, all) => all.indexOf(path) === i);
const addresses = new Map(paths.map((path) => [path, addressOf(path)]));

/** Where a link of `path` leads on the site: another page, a picture that is copied, or nowhere (`null`). */
const pictures = new Set();
function target(path, href) {
  if (/^https?:\/\//.test(href) || href.startsWith("#")) return href;
  const [file, anchor] = href.split("#");
  const wanted = posix.normalize(posix.join(posix.dirname(path), file));
  const from = posix.dirname(addresses.get(path));
  if (addresses.has(wanted)) return posix.relative(from, addresses.get(wanted)) + (anchor ? `#${anchor}` : "");
  if (/\.(png|jpg|svg)$/.test(wanted)) {
    pictures.add(wanted);
    return posix.relative(from, addressOf(wanted));
  }
  return null;
}

const written = new Map();
const index = [];
const documents = new Map();
for (const path of paths) documents.set(path, render(await readFile(join(ROOT, path), "utf8"), (href) => target(path, href)));
for (const [path, document] of documents) {
  const address = addresses.get(path);
  const navigation = sections.map(({ title, paths }) => ({
    title,
    links: paths.map((other) => ({ title: NAMES[other] ?? documents.get(other).title, href: posix.relative(posix.dirname(address), addresses.get(other)), current: other === path })),
  }));
  written.set(address, page({ title: document.title, body: document.html, navigation, root: posix.relative(posix.dirname(address), "") || "." }));
  for (const { heading, id, text } of document.parts) index.push({ page: address, title: document.title, heading, id, text });
}
written.set("search.json", JSON.stringify(index));
for (const picture of pictures) written.set(addressOf(picture), await readFile(join(ROOT, picture)));

// What watches the folder is woken by changed files only.
const old = await readdir(OUT, { recursive: true, withFileTypes: true }).catch(() => []);
for (const entry of old.filter((entry) => entry.isFile())) {
  const file = join(entry.parentPath ?? entry.path, entry.name);
  if (!written.has(relative(OUT, file).replaceAll("\\", "/"))) await rm(file);
}
for (const [address, content] of written) {
  const file = join(OUT, address);
  const before = await readFile(file).catch(() => null);
  if (before?.equals(Buffer.from(content))) continue;
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, content);
}
console.log(`documents: ${documents.size} pages, ${index.length} parts to search`);
