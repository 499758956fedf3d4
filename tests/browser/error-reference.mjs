/**
 * The text of docs/reference/errors.md: the engine's codes from the table in src/error.rs, and those
 * that only the package's JavaScript gives. `reference.mjs` writes it.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** Codes that the engine does not give: what each means, and what helps. */
export const PACKAGE_CODES = {
  "camera/unavailable": ["The browser or the person who uses it did not give the camera.", "Allow it for the site, or choose a photo."],
  "engine/freed": ["The object was freed, or the widget was taken off the page.", "Make a new one."],
  "store/busy": ["Another tab keeps or deletes this model at this moment.", "Try again."],
};

/** The sections in order, with the areas of the codes in each: the part before the slash. */
const SECTIONS = [
  ["Photos", ["image"]],
  ["Class names, templates, prompts", ["labels", "prompt"]],
  ["None of these", ["calibration", "negatives"]],
  ["Models", ["config", "tokenizer", "weights", "model", "store", "network"]],
  ["The device", ["gpu"]],
  ["Calls", ["options", "engine", "camera", "io"]],
  ["Data sets (command line)", ["data"]],
];

/** The rows of the table in src/error.rs: `[code, what it means, what helps]`. */
export function engineRows(source) {
  const table = /^kinds! \{\n([\s\S]*?)^\}/m.exec(source)[1];
  return [...table.matchAll(/((?: *\/\/\/.*\n)+) *\w+ => "([^"]+)",/g)].map(([, comment, code]) => {
    const lines = comment.trimEnd().split("\n").map((line) => line.trim().slice(3).trim());
    const paragraphs = lines.join("\n").split("\n\n").map((paragraph) => paragraph.replaceAll("\n", " "));
    if (paragraphs.length !== 2) throw new Error(`${code}: its comment needs two paragraphs, what it means and what helps`);
    return [code, ...paragraphs];
  });
}

/** A file of this folder or another of docs/ that is named in a text, as a link. */
const linked = (text) =>
  text.replace(/docs\/([a-z-]+)\/([a-z-]+\.md)/g, (_, folder, file) => `[${file}](${folder === "reference" ? "" : `../${folder}/`}${file})`);

/** The whole document. */
export async function errorReference(root) {
  const rows = engineRows(await readFile(join(root, "src/error.rs"), "utf8"));
  rows.push(...Object.entries(PACKAGE_CODES).map(([code, texts]) => [code, ...texts]));
  const area = ([code]) => code.split("/")[0];
  const homeless = rows.filter((row) => !SECTIONS.some(([, areas]) => areas.includes(area(row))));
  if (homeless.length > 0) throw new Error(`no section has the area of ${homeless.map(([code]) => code)}`);
  const lines = [
    "# Error codes",
    "",
    "Written by `node tests/browser/reference.mjs` from the table in `src/error.rs` and, for codes that only JavaScript gives,",
    "from `tests/browser/error-reference.mjs`; change those and run it again.",
    "",
    "Every error has a stable code, `area/problem`. The page shows it beside the message, JavaScript sees it as `error.code`, and",
    "the command line prints it as `error.code` under `--json`. The message says what to do about the case at hand; this page",
    "explains each code.",
  ];
  for (const [heading, areas] of SECTIONS) {
    lines.push("", `## ${heading}`, "", "| code | what it means | what helps |", "|---|---|---|");
    for (const own of areas) {
      for (const [code, meaning, help] of rows.filter((row) => area(row) === own)) lines.push(`| \`${code}\` | ${linked(meaning)} | ${linked(help)} |`);
    }
  }
  return `${lines.join("\n")}\n`;
}
