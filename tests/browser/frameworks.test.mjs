// The package's components for React and Vue, built by Vite from the guide's own snippets.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { DIST, openBrowser, openSite } from "./harness.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const PKG = resolve(here, "../../pkg");
const GUIDE = resolve(here, "../../docs/guide/embed.md");
const run = (command, args, cwd) => promisify(execFile)(command, args, { cwd, maxBuffer: 1 << 26 });
const tool = (name, path) => join(here, "node_modules", name, path);

/** Shows the React component of `Pets.tsx` and the Vue one of `Pets.vue`, and lets a test change what they are given. */
const MAIN = `
import { createElement, useState } from "react";
import { createRoot } from "react-dom/client";
import { createApp, h, ref } from "vue";
import { PromptLensWidget } from "promptlens/react";
import { PromptLensWidget as VueWidget } from "promptlens/vue";
import { Pets } from "./Pets.tsx";
import VuePets from "./Pets.vue";
const log = (window.log = []);
const note = (framework, type) => (event) => log.push({ framework, type, labels: event.detail.predictions?.map(({ label }) => label).sort(), shown: event.target.localName });
const listeners = (framework) => Object.fromEntries(["Progress", "Ready", "Result", "Error"].map((type) => ["on" + type, note(framework, type)]));
function Changing() {
  const [given, give] = useState({ labels: ["cat", "dog"], model: "/models/mini/", device: "cpu" });
  window.giveReact = (more) => give((before) => (more ? { ...before, ...more } : null));
  return given && createElement(PromptLensWidget, { ...given, ...listeners("react"), id: "react-widget", className: "mine", ref: (element) => (window.reactElement = element) }, createElement("p", { slot: "header" }, "Choose"));
}
createRoot(document.getElementById("react")).render(createElement("div", null, createElement(Changing), createElement(Pets)));
const given = ref({ labels: ["cat", "dog"], model: "/models/mini/", device: "cpu" });
window.giveVue = (more) => (given.value = more ? { ...given.value, ...more } : null);
createApp({
  setup() {
    const widget = ref(null);
    window.vueElement = () => widget.value?.element;
    return () => [given.value && h(VueWidget, { ...given.value, ...listeners("vue"), id: "vue-widget", class: "mine", ref: widget }, () => h("p", { slot: "header" }, "Choose")), h(VuePets)];
  },
}).mount("#vue");
`;

/** What the types must take, and what they must not. */
const TYPES = {
  "good.tsx": `
    import { h } from "vue";
    import { PromptLensWidget } from "promptlens/react";
    import { PromptLensWidget as VueWidget } from "promptlens/vue";
    export const one = <PromptLensWidget labels={["cat"]} template={["a {}", "the {}"]} tune="tpt" ood={false} heatmap="regions" camera device="cpu" lang="zh" className="x" onError={({ detail }) => console.log(detail.code)} />;
    export const two = h(VueWidget, { labels: ["cat"], ood: false, heatmap: true, onReady: ({ detail }) => console.log(detail.info.model) });
  `,
  "bad-react.tsx": 'import { PromptLensWidget } from "promptlens/react"; export const one = <PromptLensWidget tune="tptt" />;',
  "bad-vue.tsx": 'import { h } from "vue"; import { PromptLensWidget } from "promptlens/vue"; export const two = h(PromptLensWidget, { tune: "tptt" });',
};

describe("components for React and Vue", { timeout: 600_000 }, () => {
  let folder;
  let project;
  let guide;
  const snippet = (language) => new RegExp(`\`\`\`${language}\n([^\`]*PromptLensWidget[^\`]*)\`\`\``).exec(guide)[1];

  before(async () => {
    guide = await readFile(GUIDE, "utf8");
    folder = await mkdtemp(join(tmpdir(), "promptlens-frameworks-"));
    project = join(folder, "app");
    await mkdir(join(project, "src"), { recursive: true });
    await run("npm", ["pack", "--pack-destination", folder], PKG);
    const tarball = join(folder, (await readdir(folder)).find((name) => name.endsWith(".tgz")));
    await writeFile(join(project, "package.json"), JSON.stringify({ name: "app", private: true, type: "module" }));
    await run("npm", ["install", tarball, "--offline", "--no-audit", "--no-fund", "--ignore-scripts"], project);
    for (const name of ["react", "react-dom", "vue", "@vitejs", "@types", "csstype"]) await symlink(tool(name, ""), join(project, "node_modules", name));
    await writeFile(join(project, "src/Pets.tsx"), snippet("tsx"));
    await writeFile(join(project, "src/Pets.vue"), snippet("vue"));
    await writeFile(join(project, "src/main.js"), MAIN);
    await writeFile(join(project, "index.html"), '<!doctype html><html lang="en"><head><title>App</title><link rel="icon" href="data:,"></head><body><div id="react"></div><div id="vue"></div><script type="module" src="/src/main.js"></script></body></html>');
    await writeFile(join(project, "vite.config.js"), 'import vue from "@vitejs/plugin-vue";\nexport default { esbuild: { jsx: "automatic" }, plugins: [vue()] };');
  });
  after(() => rm(folder, { recursive: true, force: true }));

  test("the package asks for neither React nor Vue", async () => {
    assert.deepEqual((await readdir(join(project, "node_modules"))).filter((name) => !name.startsWith(".")).sort(), ["@types", "@vitejs", "csstype", "promptlens", "react", "react-dom", "vue"]);
    const { dependencies = {}, peerDependenciesMeta } = JSON.parse(await readFile(join(PKG, "package.json"), "utf8"));
    assert.deepEqual(dependencies, {});
    assert.deepEqual(peerDependenciesMeta, { react: { optional: true }, vue: { optional: true } });
  });

  test("the types take what the components take, and nothing else", async () => {
    const compile = (...names) => {
      const options = ["--noEmit", "--strict", "--noUncheckedIndexedAccess", "--skipLibCheck", "--module", "esnext", "--moduleResolution", "bundler", "--target", "es2022", "--lib", "es2022,dom", "--jsx", "react-jsx", "--types", "react"];
      return run(process.execPath, [tool("typescript", "bin/tsc"), ...options, ...names], project).then(
        () => "",
        ({ stdout }) => stdout,
      );
    };
    for (const [name, text] of Object.entries(TYPES)) await writeFile(join(project, "src", name), text);
    assert.equal(await compile("src/Pets.tsx", "src/good.tsx"), "");
    const complaints = await compile("src/bad-react.tsx", "src/bad-vue.tsx");
    assert.match(complaints, /bad-react\.tsx.*tptt/);
    assert.match(complaints, /bad-vue\.tsx/);
  });

  test("they answer, follow what they are given, and end", async () => {
    await run(process.execPath, [tool("vite", "bin/vite.js"), "build", "--logLevel", "error"], project);
    const site = await openSite({ "": join(project, "dist"), "models/mini": join(DIST, "models/mini"), "cat.jpg": join(DIST, "samples/rocket.jpg") });
    const { page, close } = await openBrowser({ webgpu: false });
    const complaints = [];
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
    const logged = (framework, type) => page.evaluate(([framework, type]) => window.log.filter((entry) => entry.framework === framework && entry.type === type), [framework, type]);
    const until = async (framework, type, count) => {
      for (const end = Date.now() + 120_000; Date.now() < end; await new Promise((done) => setTimeout(done, 50))) {
        const found = await logged(framework, type);
        if (found.length >= count) return found;
      }
      assert.fail(`${framework}: fewer than ${count} of ${type}`);
    };
    try {
      await page.goto(site.url);
      for (const [framework, element, give] of [
        ["react", "window.reactElement", "giveReact"],
        ["vue", "window.vueElement()", "giveVue"],
      ]) {
        await until(framework, "Ready", 1);
        assert.ok((await logged(framework, "Progress")).length > 0);
        assert.equal(await page.evaluate(`${element}.id + " " + ${element}.className + " " + ${element}.querySelector("[slot=header]").textContent`), `${framework}-widget mine Choose`);
        await page.setInputFiles(`#${framework}-widget input[type=file]`, join(DIST, "samples/rocket.jpg"));
        assert.deepEqual((await until(framework, "Result", 1))[0].labels, ["cat", "dog"]);
        // Other names are answered by the same engine.
        await page.evaluate(([give]) => window[give]({ labels: ["ship", "horse", "dog, big"], heatmap: true, ood: false }), [give]);
        const results = await until(framework, "Result", 2);
        assert.deepEqual(results.at(-1).labels, ["dog, big", "horse", "ship"]);
        assert.deepEqual(await page.evaluate(`[${element}.heatmap, ${element}.ood, ${element}.camera, ${element}.result.heatmap !== null, ${element}.result.ood]`), [true, false, false, true, null]);
        await page.evaluate(([give]) => window[give]({ heatmap: false, ood: undefined, camera: true }), [give]);
        await until(framework, "Result", results.length + 1);
        assert.deepEqual(await page.evaluate(`[${element}.heatmap, ${element}.ood, ${element}.camera, ${element}.result.heatmap]`), [false, "mcm", true, null]);
        assert.equal((await logged(framework, "Ready")).length, 1);
        // A file that is no photo.
        await page.setInputFiles(`#${framework}-widget input[type=file]`, { name: "a.jpg", mimeType: "image/jpeg", buffer: Buffer.from("only words") });
        await until(framework, "Error", 1);
        await page.evaluate(([give]) => window[give](null), [give]);
        assert.equal(await page.locator(`#${framework}-widget`).count(), 0);
      }
      // The guide's own components.
      await page.setInputFiles("#vue prompt-lens input[type=file]", join(DIST, "samples/rocket.jpg"));
      await page.locator("#vue output").filter({ hasText: /cat|dog/ }).waitFor();
      await page.getByRole("button", { name: "Try a cat" }).click();
      await page.locator("#react output").filter({ hasText: /cat|dog/ }).waitFor();
      assert.deepEqual(complaints, []);
    } finally {
      await close();
      await site.close();
    }
  });
});
