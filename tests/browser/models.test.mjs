// The page's Models drawer, as a person uses it, against a hub of our own.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { DIST, openBrowser, openSite } from "./harness.mjs";
import { looks } from "./looks.mjs";
import { filesOf, serveFaulty, sha256 } from "./faulty.mjs";

/** A row of the table, whose place on the hub holds the built-in model in these tests. */
const ROW = { name: "TinyCLIP ViT-8M/16", repository: "wkcn/TinyCLIP-ViT-8M-16-Text-3M-YFCC15M" };

describe("the list of models", { timeout: 600_000 }, () => {
  let site;
  let session;
  let page;
  let server;
  let mini;

  before(async () => {
    // As docs/guide/hosting.md says: only a policy in a header holds for the engine's own thread too.
    const [, policy] = /Content-Security-Policy"\s+content="([^"]+)"/.exec(await readFile(join(DIST, "index.html"), "utf8"));
    site = await openSite({ "": DIST }, { headers: { "Content-Security-Policy": policy } });
    session = await openBrowser({ webgpu: false, reducedMotion: "reduce" });
    page = session.page;
    mini = await filesOf(join(DIST, "models/mini-vit"));
    server = await serveFaulty(Object.fromEntries(Object.entries(mini).map(([name, bytes]) => [`mini/${name}`, bytes])));
    const table = join(site.folder, "pkg/source/table.js");
    const { projection_dim, vision_config, text_config } = JSON.parse(mini["config.json"]);
    const shapes = JSON.stringify({ projection_dim, vision_config, text_config });
    await writeFile(table, (await readFile(table, "utf8")).replace(/^ +(tiny\(8, .*\)),$/m, `{ ...$1, shapes: ${shapes} },`));
    await page.goto(`${site.url}?device=cpu&lang=en&labels=cat,dog`);
    await page.waitForSelector("#status[data-state=ready]");
    await page.click("#models > summary");
    await page.waitForSelector(".model");
  });
  after(async () => {
    await session?.close();
    await server?.close();
    await site?.close();
  });

  const inWindow = (part) =>
    page.locator(part).evaluate(
      (element) =>
        new Promise((seen) => {
          new IntersectionObserver(([{ intersectionRatio }], observer) => {
            observer.disconnect();
            seen(intersectionRatio > 0.9);
          }).observe(element);
        }),
    );
  const rowOf = (text) => page.locator(".model", { hasText: text });
  /** Settings of the link that the page gives, and what is said with it. */
  const link = async () => {
    const said = await page.evaluate(() => {
      document.getElementById("announcer").replaceChildren();
      document.getElementById("permalink").click();
      return new Promise((told) => {
        const watch = new MutationObserver(() => told(document.getElementById("announcer").textContent));
        watch.observe(document.getElementById("announcer"), { childList: true });
      });
    });
    return { query: new URL(page.url()).searchParams, said };
  };
  /** Ends the engine, and has the page load it again as the reader would. */
  const recover = async () => {
    const [worker] = page.workers();
    const ended = worker.waitForEvent("close");
    await worker.evaluate(() => void setTimeout(() => { throw new Error("a mishap"); }));
    await ended;
    await page.fill("#name-input", "ship");
    await page.keyboard.press("Enter");
    await page.waitForSelector("#status[data-state=failed]");
    assert.equal(await page.textContent("#status-error code"), "engine/internal");
    await page.click("#retry");
    await page.waitForSelector("#status[data-state=ready]");
    await page.click(".chip:last-child .chip-remove");
  };

  test("lists every model with its licence and size, and what is kept", async () => {
    const names = await page.locator(".model-name").allTextContents();
    const table = await page.evaluate(async (entry) => (await import(entry)).PromptLens.models.table.map(({ name }) => name), `${site.url}pkg/index.js`);
    assert.equal(table.length, 13);
    assert.deepEqual(names.slice(-table.length), table);
    assert.match(names[0], /mini/);
    for (const name of ["TinyCLIP ViT-8M/16", "OpenAI CLIP ViT-B/32", "OpenAI CLIP ViT-B/16", "LAION-2B CLIP ViT-B/32"]) {
      assert.equal(await rowOf(name).count(), 1, name);
    }
    assert.match(await rowOf("OpenAI CLIP ViT-B/32").textContent(), /151 M weights, about 605\.\d MB to download, 160\.\d MB in 8 bits, about 829\.\d MB of memory · licence Apache-2\.0 · .*timm\/vit_base_patch32_clip_224\.openai/);
    // What suits this device, and what no phone can hold.
    assert.equal(await page.locator(".model-note", { hasText: "suggested for this device" }).count(), 1);
    assert.match(await rowOf("TinyCLIP ViT-40M/32").textContent(), /suggested for this device/, "a desktop without a GPU");
    for (const name of ["OpenAI CLIP ViT-L/14-336", "BioCLIP 2"]) assert.match(await rowOf(name).textContent(), /too large for a phone/, name);
    assert.doesNotMatch(await rowOf("DataComp").textContent(), /too large/);
    const mini = rowOf("built-in");
    assert.match(await mini.textContent(), /kept: q8, 8\.\d MB · SHA-256 [0-9a-f]{12}…/);
    assert.equal(await mini.locator(".model-use").getAttribute("aria-pressed"), "true");
    assert.match(await page.textContent("#models-state"), /mini, q8/);
    assert.match(await page.textContent("#models-room"), /takes .* MB of the .* MB/);
    await looks(page, "models");
  });

  test("a folder of the disk answers in place of the built-in model", async () => {
    await page.setInputFiles("#models-folder", join(DIST, "models/mini"));
    await page.waitForFunction(() => document.querySelector("#models-run").hidden && document.querySelector(".model[data-current]") === null);
    assert.equal(await page.locator("#models-error").isVisible(), false, await page.textContent("#models-error"));
    assert.match(await page.textContent("#models-state"), /files, q8/);
    const { query, said } = await link();
    assert.deepEqual([query.get("model"), query.get("quantization")], [null, null]);
    assert.match(said, /The model is not in it: it came from files/);
    await recover();
    assert.match(await page.textContent("#models-state"), /files, q8/);
    await rowOf("built-in").locator(".model-use").click();
    await page.waitForFunction(() => document.querySelector(".model[data-current]") !== null && document.querySelector("#models-run").hidden);
    assert.match(await page.textContent("#models-state"), /mini, q8/);
    assert.deepEqual([...(await link()).query].filter(([name]) => /^(model|quantization)$/.test(name)), [["model", "./models/mini/"]]);
  });

  test("the policy lets no other host be asked, and that is said without losing the model", async () => {
    server.behave();
    await page.fill("#models-address", `${server.url}mini/`);
    await page.click("#models-own button");
    await page.waitForSelector("#models-error:not([hidden])", { timeout: 60_000 });
    assert.ok(await inWindow("#models-error"), "the problem can be seen where the button was pressed");
    assert.match(await page.textContent("#models-error code"), /network\/failed/);
    assert.deepEqual(server.requests, []);
    assert.match(await page.textContent("#models-state"), /mini, q8/);
    assert.equal(await page.getAttribute("#status", "data-state"), "ready");
    const policy = await page.getAttribute("meta[http-equiv=Content-Security-Policy]", "content");
    await looks(page, "models-failed");
    assert.match(policy, /connect-src 'self' https:\/\/huggingface\.co https:\/\/\*\.huggingface\.co https:\/\/\*\.hf\.co;/);
  });

  test("what is typed is understood, or refused before any request", async () => {
    const asked = [];
    await page.route("https://huggingface.co/**", (route) => {
      asked.push(new URL(route.request().url()).pathname);
      return route.fulfill({ status: 401, headers: { "Access-Control-Allow-Origin": "*" } });
    });
    const say = async (typed) => {
      await page.fill("#models-address", typed);
      await page.click("#models-own button");
      await page.waitForFunction(() => document.querySelector("#models-run").hidden && !document.querySelector("#models-error").hidden);
      return page.textContent("#models-error");
    };
    assert.match(await say("https://huggingface.co/datasets/someone/else"), /options\/invalid/);
    assert.deepEqual(asked, []);
    for (const typed of ["someone/nothing", " HF: someone/nothing/ ", "https://huggingface.co/someone/nothing/tree/main"]) {
      asked.length = 0;
      assert.match(await say(typed), /weights\/missing/);
      assert.deepEqual(asked, ["/api/models/someone/nothing/revision/main"], typed);
    }
    // A name of the table is its row: where the weights are is tried first, and then where the name leads.
    asked.length = 0;
    await say("openai/clip-vit-base-patch32");
    assert.deepEqual(asked.map((path) => path.split("/").slice(3, 5).join("/")), ["timm/vit_base_patch32_clip_224.openai", "openai/clip-vit-base-patch32"]);
    await page.unroute("https://huggingface.co/**");
  });

  test("cancelling leaves the model that answers", async () => {
    // The hub is asked for nothing that answers here: the wait is the download.
    await page.fill("#models-address", "hf:someone/nothing");
    await page.click("#models-own button");
    await page.waitForSelector("#models-run:not([hidden])");
    await page.click("#models-cancel");
    await page.waitForSelector("#models-run[hidden]", { state: "attached" });
    assert.equal(await page.locator("#models-error").isVisible(), false);
    assert.equal(await page.getAttribute("#status", "data-state"), "ready");
  });

  test("a slow download tells how far and how fast, and what came stays when it is cancelled", async () => {
    // The page's own host, so that its policy allows it; the bytes come from the server that can be slow.
    await page.route("**/slow/**", (route) => route.continue({ url: `${server.url}mini/${route.request().url().split("/slow/")[1]}` }));
    server.behave((name) => (name.endsWith(".safetensors") ? { pace: 100_000, stall: 4_500_000 } : undefined));
    await page.fill("#models-address", "./slow/");
    await page.click("#models-own button");
    await page.waitForFunction(() => / left/.test(document.getElementById("models-stage").textContent));
    assert.ok(await inWindow("#models-run"), "how far it is can be seen where the button was pressed");
    await looks(page, "models-downloading");
    const told = (await page.textContent("#models-stage")).replace(/[\u2068\u2069]/g, "");
    assert.match(told, /^Loading the model · [\d.]+ MB of [56]\.\d MB · From the network · [\d.]+ MB per second · \d+ seconds? left$/);
    const progress = await page.locator("#models-progress").evaluate(({ value, max }) => value / max);
    assert.ok(progress > 0 && progress < 1, `${progress}`);
    // What came is kept in pieces of 4 MiB.
    await page.waitForFunction(() => document.getElementById("models-progress").value > 4.4e6);
    await page.click("#models-cancel");
    await page.waitForSelector("#models-run[hidden]", { state: "attached" });
    assert.equal(await page.getAttribute("#status", "data-state"), "ready");
    await page.waitForSelector(".model:has-text('Unfinished')");
    await looks(page, "models-unfinished");
    // Asked for again, only what is missing comes.
    server.behave();
    await page.click("#models-own button");
    await page.waitForFunction(() => document.querySelector("#models-run").hidden && /slow/.test(document.querySelector(".model[data-current]")?.textContent ?? ""));
    const weights = server.requests.filter(({ name, method }) => method === "GET" && name.endsWith(".safetensors"));
    assert.deepEqual(weights.map(({ from }) => from), [4 * 1024 * 1024]);
    await page.unroute("**/slow/**");
    await rowOf("built-in").locator(".model-use").click();
    await page.waitForFunction(() => /mini/.test(document.querySelector(".model[data-current]")?.textContent ?? "") && document.querySelector("#models-run").hidden);
  });

  test("a model of the table is in the link with its form, and comes back after a crash", async () => {
    const asked = [];
    await page.route("https://huggingface.co/**", (route) => {
      const { pathname } = new URL(route.request().url());
      asked.push(pathname);
      const headers = { "Access-Control-Allow-Origin": "*" };
      const siblings = Object.entries(mini).map(([rfilename, bytes]) => ({ rfilename, size: bytes.length, lfs: { sha256: sha256(bytes) } }));
      if (pathname.startsWith("/api/")) return route.fulfill({ headers, json: { sha: "0".repeat(40), siblings } });
      return route.fulfill({ headers, body: mini[pathname.split("/").at(-1)] });
    });
    await page.selectOption("#models-form", "q4");
    await rowOf(ROW.name).locator(".model-use").click();
    await page.waitForFunction(() => document.querySelector("#models-run").hidden);
    const loaded = `${ROW.name}, q4`;
    assert.equal(await page.textContent("#models-state"), loaded, await page.textContent("#models-error"));
    assert.ok(asked.length > 3 && asked.every((path) => path.includes(ROW.repository)), asked.join());
    const { query, said } = await link();
    assert.deepEqual([query.get("model"), query.get("quantization")], [`hf:${ROW.repository}`, "q4"]);
    assert.ok(!/not in it/.test(said), said);
    await recover();
    assert.equal(await page.textContent("#models-state"), loaded);

    // By the link, it is the same model, out of what is kept.
    asked.length = 0;
    await page.goto(page.url());
    await page.waitForSelector("#status[data-state=ready]");
    assert.equal(await page.textContent("#models-state"), loaded);
    assert.deepEqual(asked, []);
    await page.click("#models > summary");
    await page.waitForSelector(".model[data-current]");
    assert.equal(await rowOf(ROW.name).locator(".model-use").getAttribute("aria-pressed"), "true");
    await page.unroute("https://huggingface.co/**");
  });

  test("deleting what is kept", async () => {
    // What the hub said of it goes too.
    const pins = () =>
      page.evaluate(async () => {
        const folder = await (await (await navigator.storage.getDirectory()).getDirectoryHandle("promptlens")).getDirectoryHandle("pins");
        return (await Array.fromAsync(folder.keys())).length;
      });
    assert.equal(await pins(), 1);
    await rowOf(ROW.name).locator(".model-delete").click();
    await page.waitForFunction(() => !document.querySelector(".model[data-current] .model-kept").textContent);
    assert.equal(await pins(), 0);
    const mini = rowOf("built-in");
    await mini.locator(".model-delete").click();
    await page.waitForFunction(() => !document.querySelector(".model .model-kept").textContent);
    assert.equal(await mini.locator(".model-delete").isVisible(), false);
    assert.match(await page.textContent("#announcer"), /deleted/);
  });
});
