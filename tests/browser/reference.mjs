/**
 * Writes the generated pages of docs/reference: api.md from the package's types, errors.md from the
 * tables of error codes.
 *
 *   node tests/browser/reference.mjs          writes them
 *   node tests/browser/reference.mjs --check  fails if one is not up to date
 */
import { readFile, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import ts from "typescript";
import { errorReference } from "./error-reference.mjs";

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
/** Every page, and what writes its text. */
export const PAGES = { "docs/reference/api.md": reference, "docs/reference/errors.md": () => errorReference(ROOT) };
const SOURCES = [
  ["pkg/index.d.ts", "promptlens", "The engine and its answers."],
  ["pkg/element.d.ts", "promptlens/element", "The element `<prompt-lens>`, which importing this registers."],
  ["pkg/react.d.ts", "promptlens/react", "The element as a component of React."],
  ["pkg/vue.d.ts", "promptlens/vue", "The element as a component of Vue."],
  ["pkg/heatmap.d.ts", "promptlens/heatmap", "Drawing a heat map."],
  ["pkg/pipeline.d.ts", "promptlens/pipeline", "The call of transformers.js ([guide](../guide/pipeline.md))."],
];

/** What stands in the JSDoc of a node, as Markdown; `{@link x}` becomes code. */
function described(node) {
  const docs = node.jsDoc ?? [];
  const text = docs.map(({ comment }) => (typeof comment === "string" ? comment : ts.getTextOfJSDocComment(comment) ?? "")).join("\n");
  const fallback = ts.getJSDocTags(node).find(({ tagName }) => tagName.text === "default");
  const value = fallback && (typeof fallback.comment === "string" ? fallback.comment : "");
  const plain = text.replace(/\{@link ([^}]+)\}/g, "`$1`").replace(/\s+/g, " ").trim();
  return value ? `${plain}${plain ? " " : ""}Default: \`${value}\`.` : plain;
}

const code = (text) => `\`${text.replace(/\s+/g, " ").replaceAll("|", "\\|")}\``;

/** The declaration of a member without its comment and its final semicolon. */
const signature = (member, source) => member.getText(source).replace(/;$/, "").replace(/^(export |declare )+/, "");

function members(node, source) {
  const rows = [];
  for (const member of node.members) {
    if (ts.isConstructorDeclaration(member) || (ts.getCombinedModifierFlags(member) & ts.ModifierFlags.Private) !== 0) continue;
    if (ts.isPropertySignature(member) || ts.isPropertyDeclaration(member)) {
      const type = member.type?.getText(source) ?? "unknown";
      // An object type brings comments of its own.
      const shape = type.replace(/\/\*\*[\s\S]*?\*\//g, "");
      rows.push([`${code(member.name.getText(source) + (member.questionToken ? "?" : ""))}`, code(shape), described(member)]);
    } else {
      rows.push([code(member.name?.getText(source) ?? ""), code(signature(member, source)), described(member)]);
    }
  }
  return rows.length ? ["| name | type | meaning |", "|---|---|---|", ...rows.map((row) => `| ${row.join(" | ")} |`), ""] : [];
}

function entry(node, source) {
  const name = node.name?.getText(source);
  const exported = (ts.getCombinedModifierFlags(node) & ts.ModifierFlags.Export) !== 0;
  if (!name || !exported) return [];
  const base = node.heritageClauses?.map((clause) => clause.getText(source)).join(" ") ?? "";
  const lines = [`### ${name}`, "", ...(base ? [`*${base}*`, ""] : [])];
  const text = described(node);
  if (text) lines.push(text, "");
  if (ts.isFunctionDeclaration(node)) lines.push("```ts", signature(node, source).replace(/^export /, ""), "```", "");
  else if (ts.isTypeAliasDeclaration(node)) lines.push("```ts", `type ${name} = ${node.type.getText(source)}`, "```", "");
  else lines.push(...members(node, source));
  return lines;
}

/** The API reference. */
export async function reference() {
  const lines = [
    "# API reference",
    "",
    "Written from the types by `node tests/browser/reference.mjs`; change `pkg/*.d.ts` and run it again. How the parts work",
    "together is in [pkg/README.md](../../pkg/README.md), what each error code means in [errors.md](errors.md).",
    "",
  ];
  for (const [path, name, what] of SOURCES) {
    const source = ts.createSourceFile(path, await readFile(join(ROOT, path), "utf8"), ts.ScriptTarget.Latest, true);
    lines.push(`## ${name}`, "", what, "");
    for (const statement of source.statements) lines.push(...entry(statement, source));
  }
  return `${lines.join("\n").trimEnd()}\n`;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const [path, write] of Object.entries(PAGES)) {
    const text = await write();
    if (!process.argv.includes("--check")) await writeFile(join(ROOT, path), text);
    else if ((await readFile(join(ROOT, path), "utf8")) !== text) {
      console.error(`${path} is not up to date; run node tests/browser/reference.mjs`);
      process.exitCode = 1;
    }
  }
}
