/**
 * A classifier as a web page: one folder with a page, the widget, the engine, the model and the classifier
 * file, which any static host can serve. Everything comes from this site and from what this browser keeps.
 */
import { PromptLens } from "../pkg/index.js";
import { zipOf } from "./zip.js";

/** The module that the page loads; all others are found from it. */
const ENTRY = "pkg/element.js";
const BESIDE = ["pkg/promptlens_bg.wasm", "pkg/LICENSE", "pkg/LICENSE-APACHE", "pkg/LICENSE-MIT"];
/** Where the page looks for its model, as the classifier file names it. */
export const MODEL = "model/";
const CLASSIFIER = "classifier.promptlens";
/** What a model's folder may hold, for one that this browser does not keep. */
const MODEL_FILES = [
  "config.json", "preprocessor_config.json", "tokenizer.json", "self_test.json", "trained.txt", "words.txt.gz", "README.md",
  "manifest.json", "model.safetensors",
];

const POLICY = [
  "default-src 'self'", "script-src 'self' 'wasm-unsafe-eval'", "worker-src 'self' blob:", "img-src 'self' blob:", "style-src 'self'",
  "connect-src 'self'", "object-src 'none'", "base-uri 'none'", "form-action 'none'",
].join("; ");

const STYLE = `body { max-width: 34rem; margin: 2rem auto; padding: 0 1rem; color: light-dark(#1d1f21, #ecebe8); background: light-dark(#faf9f7, #131416); color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.25rem; overflow-wrap: anywhere; }
p { color: light-dark(#5d6166, #a3a8ad); font-size: 0.875rem; }
prompt-lens { max-width: none; }
`;

const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
const escaped = (text) => text.replace(/[&<>"']/g, (character) => ESCAPES[character]);

/** The page itself. Class names are text, and turn the reading direction of nothing around them. */
function html({ title, line, language, live }) {
  return `<!doctype html>
<html lang="${escaped(language)}">
  <head>
    <meta charset="utf-8" />
    <meta http-equiv="Content-Security-Policy" content="${POLICY}" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta name="color-scheme" content="light dark" />
    <meta name="referrer" content="no-referrer" />
    <title>${escaped(title)}</title>
    <link rel="icon" href="icon.svg" type="image/svg+xml" />
    <link rel="stylesheet" href="style.css" />
    <script type="module" src="${ENTRY}"></script>
  </head>
  <body>
    <main>
      <h1><bdi>${escaped(title)}</bdi></h1>
      <prompt-lens src="${CLASSIFIER}" ${live ? "live" : "camera"}></prompt-lens>
      <p>${escaped(line)}</p>
    </main>
  </body>
</html>
`;
}

/** A file of this site; `null`: there is none. */
async function fetched(path) {
  const response = await fetch(new URL(path, document.baseURI));
  // A host may answer unknown paths with a page of its own.
  const page = (response.headers.get("content-type") ?? "").includes("text/html");
  return response.ok && !page ? response.blob() : null;
}

/** Every module that `entry` needs, itself included: what it imports, and what it starts as a worker. */
async function modules(entry) {
  const found = new Map();
  const waiting = [entry];
  while (waiting.length > 0) {
    const path = waiting.pop();
    if (found.has(path)) continue;
    const blob = await fetched(path);
    if (!blob) throw Object.assign(new Error(`${path} is missing on this site.`), { code: "network/failed" });
    found.set(path, blob);
    const source = await blob.text();
    for (const [, name] of source.matchAll(/(?:\bfrom|\bimport|\bimport\(|new URL\()\s*"(\.[^"]+\.js)"/g)) {
      const address = new URL(name, new URL(path, document.baseURI)).href;
      waiting.push(address.slice(new URL("./", document.baseURI).href.length));
    }
  }
  return [...found].map(([path, blob]) => ({ path, blob }));
}

/**
 * The files of the model that answers: as this browser keeps them, as the reader chose them, or from the folder
 * that they came from; `null`: they are nowhere at hand.
 *
 * @returns {Promise<{path: string, blob: Blob}[] | null>}
 */
async function modelFiles({ info, settings: { model } }) {
  const stored = await PromptLens.models.stored().catch(() => []);
  const kept = stored.find(({ complete, source, quantization }) => complete && source.sha256 === info.modelSha256 && quantization === info.quantization);
  if (kept) return (await PromptLens.models.files(kept.id)).map(({ name, blob }) => ({ path: MODEL + name, blob }));
  if (Array.isArray(model)) return model.filter((file) => !file.webkitRelativePath || file.webkitRelativePath.split("/").length === 2).map((file) => ({ path: MODEL + file.name, blob: file }));
  const address = PromptLens.models.address(model);
  if (!address.startsWith("http")) return null;
  const files = [];
  for (const name of MODEL_FILES) {
    const blob = await fetched(new URL(name, address)).catch(() => null);
    if (blob) files.push({ path: MODEL + name, blob });
  }
  const manifest = files.find(({ path }) => path === `${MODEL}manifest.json`);
  for (const { file } of manifest ? JSON.parse(await manifest.blob.text()).chunks : []) {
    const blob = await fetched(new URL(file, address));
    if (!blob) return null;
    if (!files.some(({ path }) => path === MODEL + file)) files.push({ path: MODEL + file, blob });
  }
  const whole = manifest || files.some(({ path }) => path.endsWith(".safetensors"));
  return whole ? files : null;
}

/**
 * Packs the page.
 *
 * @param {import("../session.js").Session} session
 * @param {object} page
 * @param {string} page.folder its name in the archive
 * @param {Blob} page.classifier the file, which names its model {@link MODEL}
 * @param {string} page.title
 * @param {string} page.line what stands below the widget
 * @param {string} page.language
 * @param {boolean} page.live whether the camera's picture is answered continuously
 * @returns {Promise<Blob | null>} `null`: the model is not at hand
 */
export async function webPage(session, { folder, classifier, ...page }) {
  const model = await modelFiles(session);
  if (model === null) return null;
  const files = [
    { path: "index.html", blob: new Blob([html(page)]) },
    { path: "style.css", blob: new Blob([STYLE]) },
    { path: CLASSIFIER, blob: classifier },
    ...(await modules(ENTRY)),
    ...model,
  ];
  for (const path of ["icon.svg", ...BESIDE]) {
    const blob = await fetched(path);
    if (blob) files.push({ path, blob });
  }
  const modified = Date.now();
  return zipOf(files.map((file) => ({ ...file, path: `${folder}/${file.path}`, modified })));
}
