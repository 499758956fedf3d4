// The npm package: what is in it, its types, and a Vite project that uses it.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { DIST, openBrowser, openSite, recordRequests } from "./harness.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const PKG = resolve(here, "../../pkg");
/** How to embed it, with snippets that are built here as they are written. */
const GUIDE = resolve(here, "../../docs/guide/embed.md");
const run = (command, args, cwd) => promisify(execFile)(command, args, { cwd, maxBuffer: 1 << 26 });
const tool = (name, path) => join(here, "node_modules", name, path);

describe("npm package", { timeout: 900_000 }, () => {
  let folder;
  let tarball;
  let files;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "promptlens-npm-"));
    // The engine of the built site, so that what is packed is what was tested.
    const { stdout } = await run("npm", ["pack", "--json", "--pack-destination", folder], PKG);
    const [packed] = JSON.parse(stdout.slice(stdout.indexOf("[\n") >= 0 ? stdout.indexOf("[\n") : stdout.indexOf("[")));
    tarball = join(folder, packed.filename);
    files = packed.files.map(({ path }) => path).sort();
  });
  after(() => rm(folder, { recursive: true, force: true }));

  test("holds what is needed and nothing else", async () => {
    const sources = (await readdir(PKG, { recursive: true })).filter((path) => path.endsWith(".js")).map((path) => path.replaceAll("\\", "/"));
    const expected = [
      "LICENSE",
      "LICENSE-APACHE",
      "LICENSE-MIT",
      "README.md",
      "element.d.ts",
      "heatmap.d.ts",
      "index.d.ts",
      "integrity.json",
      "package.json",
      "pipeline.d.ts",
      "promptlens_bg.wasm",
      "react.d.ts",
      "vue.d.ts",
      ...sources,
    ].sort();
    assert.deepEqual(files, expected);
  });

  test("every module imports only what is packed", async () => {
    for (const path of files.filter((name) => name.endsWith(".js"))) {
      const text = await readFile(join(PKG, path), "utf8");
      for (const [, target] of text.matchAll(/(?:from|import|import\()\s*"(\.[^"]+)"/g)) {
        const wanted = join(dirname(path), target).replaceAll("\\", "/");
        assert.ok(files.includes(wanted), `${path} imports ${target}`);
      }
    }
  });

  test("the types describe the package as it is used", async () => {
    const project = join(folder, "types");
    await mkdir(project);
    await run("npm", ["init", "-y"], project);
    await run("npm", ["install", tarball, "--offline", "--no-audit", "--no-fund", "--ignore-scripts"], project);
    const compile = async (name, text) => {
      await writeFile(join(project, name), text);
      const options = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2022", "--lib", "es2022,dom", name];
      return run(process.execPath, [tool("typescript", "bin/tsc"), ...options], project).then(
        () => "",
        ({ stdout }) => stdout,
      );
    };
    const good = `
      import { PromptLens, PromptLensError, type Result } from "promptlens";
      import "promptlens/element";
      import { pipeline } from "promptlens/pipeline";
      const lens = await PromptLens.load({ model: "./models/mini/", device: "auto" });
      const classes = await lens.classes(["cat"], { templates: ["a photo of a {}."] });
      const result: Result = await classes.classify(new Blob(), { tune: "tpt", views: 16, heatmap: "regions" });
      const share: number | undefined = result.heatmap?.maps[0]?.values[0];
      const widget = document.querySelector("prompt-lens")!;
      widget.labels = ["cat", "dog"];
      widget.addEventListener("result", ({ detail }) => console.log(detail.predictions, detail.blob.size, share));
      widget.addEventListener("error", ({ detail }: CustomEvent<PromptLensError>) => console.log(detail.code));
      await widget.classify(new Blob());
      const classify = await pipeline("zero-shot-image-classification", null, { device: "wasm", dtype: "q8", progress_callback: (event) => console.log(event.status) });
      const one: { label: string; score: number }[] = await classify("photo.jpg", ["cat"], { hypothesis_template: "a {}" });
      const several: { score: number }[][] = await classify([new Blob(), "photo.jpg"], ["cat"]);
      const extract = await pipeline("image-feature-extraction", "./models/mini/");
      const rows: number[][] = (await extract([new ImageData(1, 1)])).tolist();
      await extract.dispose();
      console.log(one, several, rows);
      export {};
    `;
    assert.equal(await compile("good.mts", good), "");
    const bad = 'import { PromptLens } from "promptlens"; const lens = await PromptLens.load({ model: "./m/", devise: "cpu" }); export {};';
    assert.match(await compile("bad.mts", bad), /devise/);
  });

  test("the hashes are those of the files, and a browser holds the widget to them", async () => {
    const published = join(folder, "published");
    await mkdir(published);
    await run("tar", ["xzf", tarball, "-C", published]);
    const integrity = JSON.parse(await readFile(join(published, "package/integrity.json"), "utf8"));
    assert.deepEqual(Object.keys(integrity).sort(), files.filter((name) => /\.(js|wasm)$/.test(name)));
    for (const [path, expected] of Object.entries(integrity)) {
      const digest = createHash("sha384").update(await readFile(join(published, "package", path))).digest("base64");
      assert.equal(expected, `sha384-${digest}`, path);
    }
    // The built site is embedded from as well, and has files of its own making.
    const own = JSON.parse(await readFile(join(DIST, "pkg/integrity.json"), "utf8"));
    assert.deepEqual(Object.keys(own), Object.keys(integrity));
    for (const [path, expected] of Object.entries(own)) {
      const digest = createHash("sha384").update(await readFile(join(DIST, "pkg", path))).digest("base64");
      assert.equal(expected, `sha384-${digest}`, `pkg/${path} of the site`);
    }
    const site = await openSite({ "pkg": join(published, "package"), "models/mini": join(DIST, "models/mini"), "ship.jpg": join(DIST, "samples/rocket.jpg") });
    // As docs/guide/hosting.md has it: the hash of the script, and an import map with those of its imports.
    const write = (name, hashes) =>
      writeFile(
        join(site.folder, name),
        `<!doctype html><title>Hashes</title><link rel="icon" href="data:,"><script type="importmap">${JSON.stringify({
          integrity: Object.fromEntries(Object.entries(hashes).filter(([path]) => path.endsWith(".js")).map(([path, hash]) => [`./pkg/${path}`, hash])),
        })}</script><script type="module" src="./pkg/element.js" integrity="${hashes["element.js"]}"></script><prompt-lens labels="ship, dog" device="cpu"></prompt-lens>`,
      );
    await write("right.html", integrity);
    await write("wrong.html", { ...integrity, "widget/view.js": integrity["index.js"] });
    const { page, close } = await openBrowser({ webgpu: false });
    try {
      await page.goto(`${site.url}right.html`);
      const count = await page.evaluate(async () => {
        await customElements.whenDefined("prompt-lens");
        return (await document.querySelector("prompt-lens").classify(await (await fetch("ship.jpg")).blob())).predictions.length;
      });
      assert.equal(count, 2);
      const refused = page.waitForEvent("console", (message) => /integrity/i.test(message.text()));
      await page.goto(`${site.url}wrong.html`);
      await refused;
      assert.equal(await page.evaluate(() => Boolean(customElements.get("prompt-lens"))), false);
    } finally {
      await close();
      await site.close();
    }
  });

  test("a Vite project installs it, builds, and classifies", async () => {
    const project = join(folder, "vite");
    await mkdir(join(project, "src"), { recursive: true });
    await writeFile(join(project, "package.json"), JSON.stringify({ name: "app", private: true, type: "module" }));
    await run("npm", ["install", tarball, "--offline", "--no-audit", "--no-fund", "--ignore-scripts"], project);
    await writeFile(
      join(project, "index.html"),
      '<!doctype html><html lang="en"><head><title>App</title><link rel="icon" href="data:,"></head><body><prompt-lens labels="ship,dog,sunflowers" device="cpu" model="./models/mini/"></prompt-lens><output></output><script type="module" src="/src/main.js"></script></body></html>',
    );
    await writeFile(
      join(project, "src/main.js"),
      `import { PromptLens } from "promptlens";
      import "promptlens/element";
      async function main() {
        const lens = await PromptLens.load({ model: "./models/mini/", device: "cpu" });
        const classes = await lens.classes(["ship", "dog", "sunflowers"]);
        const { predictions } = await classes.classify(await (await fetch("./ship.jpg")).blob());
        document.querySelector("output").textContent = JSON.stringify(predictions);
        lens.free();
      }
      main();`,
    );
    await run(process.execPath, [tool("vite", "bin/vite.js"), "build", "--base", "./", "--logLevel", "warn"], project);
    const assets = await readdir(join(project, "dist/assets"));
    assert.equal(assets.filter((name) => name.endsWith(".wasm")).length, 1, assets.join());
    assert.ok(assets.some((name) => name.startsWith("worker")), assets.join());
    const site = await openSite({ "": join(project, "dist"), "models/mini": join(DIST, "models/mini"), "ship.jpg": join(DIST, "samples/rocket.jpg") });
    const { page, close } = await openBrowser({ webgpu: false });
    try {
      const complaints = [];
      page.on("pageerror", (error) => complaints.push(error.message));
      await page.goto(site.url);
      await page.waitForFunction(() => document.querySelector("output").textContent !== "");
      const direct = JSON.parse(await page.textContent("output"));
      const inWidget = await page.evaluate(async () => {
        const blob = await (await fetch("./ship.jpg")).blob();
        return (await document.querySelector("prompt-lens").classify(blob)).predictions;
      });
      assert.deepEqual(inWidget, direct);
      assert.equal(direct.length, 3);
      assert.ok(Math.abs(direct.reduce((sum, { probability }) => sum + probability, 0) - 1) < 1e-5);
      assert.deepEqual(complaints, []);
    } finally {
      await close();
      await site.close();
    }
  });

  test("the guide's snippets for React and Vue, as written", async () => {
    const project = join(folder, "frameworks");
    await mkdir(join(project, "src"), { recursive: true });
    await writeFile(join(project, "package.json"), JSON.stringify({ name: "app", private: true, type: "module" }));
    await run("npm", ["install", tarball, "--offline", "--no-audit", "--no-fund", "--ignore-scripts"], project);
    for (const name of ["react", "react-dom", "vue", "@vitejs"]) await symlink(tool(name, ""), join(project, "node_modules", name));
    const guide = await readFile(GUIDE, "utf8");
    const snippet = (language) => new RegExp(`\`\`\`${language}\n([^\`]*prompt-lens[^\`]*)\`\`\``).exec(guide)[1];
    const [, setting] = /`(isCustomElement: [^`]*)`/.exec(guide);
    await writeFile(join(project, "src/Lens.jsx"), snippet("jsx"));
    await writeFile(join(project, "src/Lens.vue"), snippet("vue"));
    await writeFile(
      join(project, "src/main.jsx"),
      `import { createRoot } from "react-dom/client";
      import { createApp } from "vue";
      import { Lens } from "./Lens.jsx";
      import App from "./Lens.vue";
      createRoot(document.getElementById("react")).render(<Lens />);
      createApp(App).mount("#vue");`,
    );
    await writeFile(
      join(project, "vite.config.js"),
      `import vue from "@vitejs/plugin-vue";
      export default { esbuild: { jsx: "automatic" }, plugins: [vue({ template: { compilerOptions: { ${setting} } } })] };`,
    );
    await writeFile(
      join(project, "index.html"),
      '<!doctype html><html lang="en"><head><title>App</title><link rel="icon" href="data:,"></head><body><div id="react"></div><div id="vue"></div><script type="module" src="/src/main.jsx"></script></body></html>',
    );
    await run(process.execPath, [tool("vite", "bin/vite.js"), "build", "--logLevel", "error"], project);
    const site = await openSite({ "": join(project, "dist"), "models/mini": join(DIST, "models/mini") });
    const { page, close } = await openBrowser({ webgpu: false });
    try {
      const complaints = [];
      page.on("pageerror", (error) => complaints.push(error.message));
      await page.goto(site.url);
      for (const framework of ["react", "vue"]) {
        const logged = page.waitForEvent("console", (message) => message.type() === "log");
        await page.setInputFiles(`#${framework} prompt-lens input[type=file]`, join(DIST, "samples/rocket.jpg"));
        const predictions = await (await logged).args()[0].jsonValue();
        assert.deepEqual(predictions.map(({ label }) => label).sort(), ["cat", "dog"], framework);
        const shown = await page.locator(`#${framework} prompt-lens li .name`).allTextContents();
        assert.deepEqual(shown, predictions.map(({ label }) => label), framework);
      }
      assert.deepEqual(complaints, []);
    } finally {
      await close();
      await site.close();
    }
  });

  test("inlined, the engine and its worker are part of the page's own script", async () => {
    const project = join(folder, "inlined");
    await mkdir(join(project, "src"), { recursive: true });
    await writeFile(join(project, "package.json"), JSON.stringify({ name: "app", private: true, type: "module" }));
    await run("npm", ["install", tarball, "--offline", "--no-audit", "--no-fund", "--ignore-scripts"], project);
    await writeFile(join(project, "index.html"), '<!doctype html><html lang="en"><head><title>App</title><link rel="icon" href="data:,"></head><body><input type="file" multiple><output></output><script type="module" src="/src/main.js"></script></body></html>');
    const guide = await readFile(GUIDE, "utf8");
    const [, code] = /```js\n([^`]*worker&inline[^`]*)```/.exec(guide);
    // The snippet runs once the files are there.
    const [imports, body] = [code.match(/^import .*$/gm).join("\n"), code.replace(/^import .*$/gm, "")];
    await writeFile(
      join(project, "src/main.js"),
      `${imports}
      const input = document.querySelector("input");
      input.addEventListener("change", async () => {
        const [photo, ...files] = input.files;
        ${body}
        const classes = await lens.classes(["ship", "dog", "sunflowers"]);
        const { predictions } = await classes.classify(photo);
        document.querySelector("output").textContent = JSON.stringify(predictions);
      });`,
    );
    await writeFile(join(project, "vite.config.js"), "export default { base: './', build: { assetsInlineLimit: 1e9, modulePreload: false } };");
    await run(process.execPath, [tool("vite", "bin/vite.js"), "build", "--logLevel", "error"], project);
    const built = await readdir(join(project, "dist/assets"));
    assert.deepEqual(built.filter((name) => name.endsWith(".wasm")), []);
    // The bundler also writes the worker that the package would start by itself; nothing needs it.
    for (const name of built) if (name.startsWith("worker")) await rm(join(project, "dist/assets", name));
    const site = await openSite({ "": join(project, "dist") });
    const { browser, page, close } = await openBrowser({ webgpu: false });
    try {
      await page.goto(site.url);
      const requests = recordRequests(browser);
      const model = join(DIST, "models/mini");
      await page.setInputFiles("input", [join(DIST, "samples/rocket.jpg"), ...["config.json", "tokenizer.json", "preprocessor_config.json", "model.safetensors", "self_test.json"].map((name) => join(model, name))]);
      await page.waitForFunction(() => document.querySelector("output").textContent !== "");
      assert.equal(JSON.parse(await page.textContent("output")).length, 3);
      assert.deepEqual(requests.filter((url) => !/^(blob|data):/.test(url)), []);
    } finally {
      await close();
      await site.close();
    }
  });
});
