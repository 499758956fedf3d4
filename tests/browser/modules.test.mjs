// Every name that a module of the page or the package imports is one that the other exports: a
// browser finds out only when the page stays empty. And what the page holds needs no document.
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../..");

/** The engine's module is built, and its exports are the engine's. */
const BUILT = join(ROOT, "pkg/promptlens.js");

async function parsed(path) {
  return ts.createSourceFile(path, await readFile(path, "utf8"), ts.ScriptTarget.Latest, true, ts.ScriptKind.JS);
}

function exportsOf(source) {
  const names = new Set();
  for (const node of source.statements) {
    if (ts.isExportDeclaration(node) && node.exportClause) for (const { name } of node.exportClause.elements) names.add(name.text);
    if (ts.isExportAssignment(node)) names.add("default");
    if (!node.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)) continue;
    if (node.name) names.add(node.name.text);
    for (const { name } of node.declarationList?.declarations ?? []) names.add(name.text);
  }
  return names;
}

test("every import is exported", async () => {
  const files = [];
  for (const folder of ["www", "pkg"]) {
    for (const path of await readdir(join(ROOT, folder), { recursive: true })) {
      if (path.endsWith(".js") && !path.includes("node_modules")) files.push(join(ROOT, folder, path));
    }
  }
  assert.ok(files.length > 40);
  const missing = [];
  for (const file of files.filter((path) => path !== BUILT)) {
    for (const node of (await parsed(file)).statements) {
      if (!ts.isImportDeclaration(node) || !node.moduleSpecifier.text.startsWith(".")) continue;
      // On the site the package lies in the page's folder.
      const target = resolve(dirname(file), node.moduleSpecifier.text).replace(join(ROOT, "www/pkg"), join(ROOT, "pkg"));
      if (target === BUILT) continue;
      const known = exportsOf(await parsed(target));
      const bindings = node.importClause?.namedBindings;
      const wanted = bindings && ts.isNamedImports(bindings) ? bindings.elements.map(({ name, propertyName }) => (propertyName ?? name).text) : [];
      if (node.importClause?.name) wanted.push("default");
      for (const name of wanted) if (!known.has(name)) missing.push(`${file}: ${name} of ${node.moduleSpecifier.text}`);
    }
  }
  assert.deepEqual(missing, []);
});

test("the session and its parts know no document and no panel", async () => {
  const parts = (await readdir(join(ROOT, "www/state"))).map((name) => `www/state/${name}`);
  assert.ok(parts.length > 5);
  const dom = new Set(["document", "window", "localStorage", "location", "HTMLElement"]);
  const found = [];
  for (const path of ["www/session.js", ...parts]) {
    const source = await parsed(join(ROOT, path));
    for (const node of source.statements.filter(ts.isImportDeclaration)) {
      const target = resolve(dirname(join(ROOT, path)), node.moduleSpecifier.text);
      if (dirname(target) !== join(ROOT, "www/state")) found.push(`${path} imports ${node.moduleSpecifier.text}`);
    }
    const visit = (node) => {
      if (ts.isIdentifier(node) && dom.has(node.text)) found.push(`${path} names ${node.text}`);
      ts.forEachChild(node, visit);
    };
    visit(source);
  }
  assert.deepEqual(found, []);
});
