// The package around an engine that fails: nobody waits for ever, and nothing answers from ruins.
import assert from "node:assert/strict";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { openBrowser, openSite, PAGES } from "./harness.mjs";

/** A module that exports `trap`, whose only instruction is `unreachable`. */
const TRAP = Buffer.from("0061736d0100000001040160000003020100070801047472617000000a05010300000b", "hex");

describe("supervision", { timeout: 120_000 }, () => {
  let site;
  let session;

  before(async () => {
    const pkg = fileURLToPath(new URL("../../pkg", import.meta.url));
    site = await openSite({ pkg, "pkg/promptlens.js": join(PAGES, "faulty-engine.js"), test: PAGES });
    await writeFile(join(site.folder, "pkg/promptlens_bg.wasm"), TRAP);
    session = await openBrowser({ webgpu: false });
    await session.page.goto(`${site.url}test/package.html`);
  });
  after(async () => {
    await session?.close();
    await site?.close();
  });

  /** Runs `body(lens, code)` in the page with a fresh engine; `code` turns a promise into its outcome. */
  const inPage = (body, argument) =>
    session.page.evaluate(
      `(async () => {
        const { PromptLens } = await import(${JSON.stringify(`${site.url}pkg/index.js`)});
        const lens = await PromptLens.load({ model: "model", device: "cpu" });
        const code = (promise) => promise.then(() => "answered", (error) => error.code);
        return (${body})(lens, code, ${JSON.stringify(argument)});
      })()`,
    );

  for (const kind of ["trap at once", "trap later", "trap in a promise"]) {
    test(`an engine that does "${kind}" ends every waiting call`, async () => {
      const codes = await inPage(async (lens, code, label) => {
        const good = await lens.classes(["fine"]);
        const bad = await lens.classes([label]);
        const image = new Blob(["image"]);
        const waiting = [code(good.classify(image)), code(bad.classify(image)), code(good.classify(image)), code(lens.embedText(["x"]))];
        const settled = await Promise.all(waiting);
        return [...settled, await code(good.classify(image)), await code(lens.classes(["x"]))];
      }, kind);
      assert.deepEqual(codes, ["answered", ...Array(5).fill("engine/internal")]);
    });
  }

  test("calls are answered in order, and a stopped one makes room", async () => {
    const outcome = await inPage(async (lens, code) => {
      const endless = await lens.classes(["until stopped"]);
      const fine = await lens.classes(["fine"]);
      const stop = new AbortController();
      const order = [];
      const note = (name) => (result) => order.push(`${name} ${result}`);
      const first = code(endless.classify(new Blob(["1"]), { signal: stop.signal })).then(note("first"));
      const second = code(fine.classify(new Blob(["22"]))).then(note("second"));
      const third = code(fine.classify(new Blob(["333"]))).then(note("third"));
      await new Promise((resolve) => setTimeout(resolve, 100));
      order.push("stop");
      stop.abort();
      await Promise.all([first, second, third]);
      return order;
    });
    assert.deepEqual(outcome, ["stop", "first engine/cancelled", "second answered", "third answered"]);
  });

  test("a class list that came after its caller left is freed", async () => {
    const outcome = await inPage(async (lens, code) => {
      const stop = new AbortController();
      const made = code(lens.classes(["slow to make"], { signal: stop.signal }));
      await new Promise((resolve) => setTimeout(resolve, 100));
      stop.abort();
      const result = await made;
      // Two calls: the first may overtake the freeing, the second comes after it.
      await lens.classes(["a"]);
      await lens.classes(["b"]);
      return [result, lens.info.freed];
    });
    assert.deepEqual(outcome, ["engine/cancelled", [0]]);
  });

  test("an error in a progress listener does not end the call", async () => {
    const outcome = await session.page.evaluate(async (entry) => {
      const { PromptLens } = await import(entry);
      const reported = [];
      const listen = (event) => {
        event.preventDefault();
        reported.push(event.message);
      };
      addEventListener("error", listen);
      const stages = [];
      await PromptLens.load({
        model: "model",
        device: "cpu",
        onProgress: ({ stage }) => {
          stages.push(stage);
          throw new Error("listener");
        },
      });
      removeEventListener("error", listen);
      return { stages, reported: reported.length };
    }, `${site.url}pkg/index.js`);
    assert.ok(outcome.stages.includes("engine") && outcome.stages.includes("weights"), outcome.stages.join());
    assert.equal(outcome.reported, outcome.stages.length);
  });

  test("a package with a file missing says so", async () => {
    const broken = await openSite({ pkg: join(site.folder, "pkg"), test: PAGES });
    const load = () =>
      session.page.evaluate(async (entry) => {
        const { PromptLens } = await import(entry);
        return PromptLens.load({ model: "model", device: "cpu" }).catch(({ code, message }) => ({ code, message }));
      }, `${broken.url}pkg/index.js`);
    try {
      await session.page.goto(`${broken.url}test/package.html`);
      await rm(join(broken.folder, "pkg/promptlens_bg.wasm"));
      assert.equal((await load()).code, "network/failed");
      await rm(join(broken.folder, "pkg/promptlens.js"));
      const outcome = await load();
      assert.equal(outcome.code, "network/failed");
      assert.match(outcome.message, /could not be loaded from http/);
    } finally {
      await session.page.goto(`${site.url}test/package.html`);
      await broken.close();
    }
  });
});
