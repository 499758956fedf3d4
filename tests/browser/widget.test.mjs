// <prompt-lens> on bare pages of another origin, under a strict policy, as a web developer embeds it.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { DIST, openBrowser, openSite, OUT } from "./harness.mjs";

/** The policy of a careful page; the widget's own origin is the only one it adds. */
const policy = (origin) =>
  `default-src 'self'; script-src 'self' 'wasm-unsafe-eval' ${origin}; worker-src 'self' blob:; ` +
  `connect-src 'self' ${origin}; img-src 'self' blob:; style-src 'self'; object-src 'none'; base-uri 'none'`;

describe("widget", { timeout: 900_000 }, () => {
  let widgetSite;
  let host;
  let folder;
  let session;
  let page;
  const complaints = [];

  /** Serves `body` on the page's own origin and goes there. */
  const visit = async (name, body) => {
    await writeFile(join(host.folder, name), `<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><link rel="icon" href="/icon.svg"><title>A page</title></head><body>\n${body}\n</body></html>\n`);
    await page.goto(`${host.url}${name}`);
  };
  const workers = () => page.workers().length;
  const sample = (name) => join(DIST, `samples/${name}.jpg`);

  before(async () => {
    widgetSite = await openSite({ "": DIST }, { headers: { "Access-Control-Allow-Origin": "*" } });
    const origin = new URL(widgetSite.url).origin;
    folder = await mkdtemp(join(tmpdir(), "promptlens-host-"));
    host = await openSite({ "icon.svg": join(DIST, "icon.svg"), "sample.jpg": sample("sunflower") }, { headers: { "Content-Security-Policy": policy(origin) } });
    assert.notEqual(origin, new URL(host.url).origin);
    session = await openBrowser({
      webgpu: false,
      locale: "en-US",
      permissions: ["camera"],
      args: ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"],
    });
    page = session.page;
    page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(error.message));
  });
  after(async () => {
    await session?.close();
    await host?.close();
    await widgetSite?.close();
    await rm(folder, { recursive: true, force: true });
  });

  test("one script line and one element answer a photo", async () => {
    complaints.length = 0;
    await visit(
      "one.html",
      `<script type="module" src="${widgetSite.url}pkg/element.js"></script>\n<prompt-lens labels="sunflowers, ship, dog" device="cpu" heatmap></prompt-lens>`,
    );
    const globals = await page.evaluate(() => Object.keys(window).filter((name) => /prompt.?lens/i.test(name)));
    assert.deepEqual(globals, []);
    const events = page.evaluate(
      () =>
        new Promise((resolve) => {
          const seen = [];
          const note = ({ type, detail }) => seen.push([type, JSON.parse(JSON.stringify(detail.predictions ?? detail.info ?? { ...detail, code: detail.code }))]);
          for (const type of ["progress", "ready", "result"]) document.addEventListener(type, note);
          document.querySelector("prompt-lens").addEventListener("error", note);
          for (const type of ["result", "error"]) document.querySelector("prompt-lens").addEventListener(type, () => setTimeout(() => resolve(seen)));
        }),
    );
    await page.setInputFiles("prompt-lens input[type=file]", sample("sunflower"));
    const seen = await events;
    const types = seen.map(([type]) => type);
    assert.ok(types.includes("ready") && !types.includes("error"), types.join());
    const predictions = seen.at(-1)[1];
    assert.equal(predictions.length, 3);
    assert.ok(Math.abs(predictions.reduce((sum, { probability }) => sum + probability, 0) - 1) < 1e-5);
    const shown = await page.locator("prompt-lens li .name").allTextContents();
    assert.deepEqual(shown, predictions.map(({ label }) => label));
    assert.ok(await page.locator("prompt-lens canvas").isVisible());
    assert.match(await page.getAttribute("prompt-lens canvas", "aria-label"), new RegExp(predictions[0].label));
    assert.deepEqual(complaints, []);
    await mkdir(OUT, { recursive: true });
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      await page.screenshot({ path: join(OUT, `widget-${colorScheme}.png`) });
    }
  });

  test("attributes, properties and the method agree, and a changed list answers anew", async () => {
    const outcome = await page.evaluate(async () => {
      const lens = document.querySelector("prompt-lens");
      const photo = await (await fetch("sample.jpg")).blob();
      const first = await lens.classify(photo);
      const anew = new Promise((resolve) => lens.addEventListener("result", ({ detail }) => resolve(detail), { once: true }));
      lens.labels = ["church, old", "airplane"];
      const second = await anew;
      const third = await lens.classify(photo, { ood: false, heatmap: "regions" });
      const both = await Promise.all([lens.classify(photo), lens.classify(photo)]);
      const wrong = await lens.classify("no blob").catch(({ code }) => code);
      return {
        first: first.predictions.map(({ label }) => label).sort(),
        second: second.predictions.map(({ label }) => label).sort(),
        attribute: lens.getAttribute("labels"),
        read: lens.labels,
        map: first.heatmap.method,
        third: [third.ood, third.heatmap.method],
        same: JSON.stringify(both[0].predictions) === JSON.stringify(both[1].predictions),
        wrong,
        result: lens.result.predictions.length,
      };
    });
    assert.deepEqual(outcome, {
      first: ["dog", "ship", "sunflowers"],
      second: ["airplane", "church, old"],
      attribute: '["church, old","airplane"]',
      read: ["church, old", "airplane"],
      map: "patches",
      third: [null, "regions"],
      same: true,
      wrong: "options/invalid",
      result: 2,
    });
  });

  test("moved it goes on, removed it ends its worker, and put back it loads again", async () => {
    assert.equal(workers(), 1);
    const before = page.workers()[0];
    await page.evaluate(async () => {
      const lens = document.querySelector("prompt-lens");
      await lens.classify(await (await fetch("sample.jpg")).blob());
      const box = document.createElement("section");
      document.body.append(box);
      box.append(lens);
    });
    await page.waitForTimeout(200);
    assert.equal(page.workers()[0], before, "moving started another worker");
    assert.equal(await page.locator("prompt-lens li").count(), 2);

    const ended = before.waitForEvent("close");
    await page.evaluate(() => {
      window.kept = document.querySelector("prompt-lens");
      window.kept.remove();
    });
    await ended;
    assert.equal(workers(), 0);
    assert.equal(await page.evaluate(() => window.kept.ready.catch(({ code }) => code)), "engine/freed");

    const labels = await page.evaluate(async () => {
      document.body.append(window.kept);
      const photo = await (await fetch("sample.jpg")).blob();
      const { predictions } = await window.kept.classify(photo);
      return predictions.length;
    });
    assert.equal(labels, 2);
    await page.evaluate(() => window.kept.remove());
  });

  test("two on one page have their own models and names", async () => {
    complaints.length = 0;
    const model = (name) => `${widgetSite.url}${name}/`;
    // Another model that is surely another: the same one under another name, with other words.
    await mkdir(join(widgetSite.folder, "other"), { recursive: true });
    for (const file of ["config.json", "model.safetensors", "tokenizer.json", "preprocessor_config.json"]) {
      await writeFile(join(widgetSite.folder, "other", file), await readFile(join(DIST, "models/mini", file)));
    }
    await visit(
      "two.html",
      `<script type="module" src="${widgetSite.url}pkg/element.js"></script>
      <prompt-lens id="a" labels="dog,ship" device="cpu" model="${model("models/mini")}"></prompt-lens>
      <prompt-lens id="b" labels="church,parachute,horse" device="cpu" lang="zh" model="${model("other")}"></prompt-lens>`,
    );
    const both = await page.evaluate(async () => {
      await customElements.whenDefined("prompt-lens");
      const photo = await (await fetch("sample.jpg")).blob();
      const [a, b] = ["a", "b"].map((id) => document.getElementById(id));
      const results = await Promise.all([a.classify(photo), b.classify(photo)]);
      const infos = await Promise.all([a.ready, b.ready]);
      a.remove();
      await new Promise((resolve) => setTimeout(resolve, 100));
      const after = await b.classify(photo);
      return {
        labels: results.map(({ predictions }) => predictions.length),
        models: infos.map(({ info }) => info.model),
        tests: infos.map(({ info }) => info.selfTest?.passed ?? null),
        same: JSON.stringify(after.predictions) === JSON.stringify(results[1].predictions),
        title: b.shadowRoot.querySelector("strong").textContent,
      };
    });
    assert.deepEqual(both, { labels: [2, 3], models: ["mini", "other"], tests: [true, null], same: true, title: "选择照片" });
    assert.deepEqual(complaints, []);
  });

  test("errors are said and told, and can be tried again", async () => {
    await visit(
      "wrong.html",
      `<script type="module" src="${widgetSite.url}pkg/element.js"></script>\n<prompt-lens labels="dog,ship" device="cpu" model="${widgetSite.url}nowhere/"></prompt-lens>`,
    );
    await page.waitForFunction(() => document.querySelector("prompt-lens")?.shadowRoot?.querySelector(".error:not([hidden])"));
    assert.match(await page.locator("prompt-lens .error").textContent(), /config\/missing|network\/failed/);
    const told = page.evaluate(() => new Promise((resolve) => document.querySelector("prompt-lens").addEventListener("error", ({ detail }) => resolve(detail.code))));
    await page.locator("prompt-lens button:visible").click();
    assert.match(await told, /config\/missing|network\/failed/);
    await page.evaluate((model) => document.querySelector("prompt-lens").setAttribute("model", model), `${widgetSite.url}models/mini/`);
    await page.evaluate(() => new Promise((resolve) => document.querySelector("prompt-lens").addEventListener("ready", resolve)));
    assert.ok(await page.locator("prompt-lens .error").isHidden());
    const code = await page.evaluate(() => document.querySelector("prompt-lens").classify(new Blob(["words"])).catch((error) => error.code));
    assert.equal(code, "image/unknown-format");
    assert.match(await page.locator("prompt-lens .error").textContent(), /image\/unknown-format/);
  });

  test("the camera is on while it is used and off afterwards", async () => {
    await visit(
      "camera.html",
      `<script type="module" src="${widgetSite.url}pkg/element.js"></script>\n<prompt-lens labels="dog,ship" device="cpu" camera></prompt-lens>`,
    );
    await page.locator("prompt-lens button", { hasText: "Use the camera" }).click();
    await page.locator("prompt-lens button", { hasText: "Take the photo" }).click();
    await page.waitForFunction(() => document.querySelector("prompt-lens").result !== null);
    await page.locator("prompt-lens button", { hasText: "Use the camera" }).click();
    await page.waitForFunction(() => document.querySelector("prompt-lens").shadowRoot.querySelector("video").srcObject?.active);
    const active = await page.evaluate(async () => {
      const lens = document.querySelector("prompt-lens");
      const stream = lens.shadowRoot.querySelector("video").srcObject;
      lens.remove();
      await new Promise((resolve) => setTimeout(resolve, 100));
      return stream.active;
    });
    assert.equal(active, false);
  });

  test("GPU buffers are gone when it is removed", async () => {
    const gpu = await openBrowser({ locale: "en-US" });
    try {
      await writeFile(
        join(host.folder, "gpu.html"),
        `<!doctype html><link rel="icon" href="/icon.svg"><script type="module" src="${widgetSite.url}pkg/element.js"></script><prompt-lens labels="dog,ship" device="webgpu"></prompt-lens>`,
      );
      await gpu.page.goto(`${host.url}gpu.html`);
      const used = await gpu.page.evaluate(async () => {
        await customElements.whenDefined("prompt-lens");
        const lens = document.querySelector("prompt-lens");
        const photo = await (await fetch("sample.jpg")).blob();
        await lens.classify(photo);
        return (await lens.ready).info;
      });
      assert.equal(used.device.kind, "webgpu");
      assert.ok(used.gpuDispatches > 0);
      // All buffers belong to the device of the worker, and both end with it.
      const [worker] = gpu.page.workers();
      const ended = worker.waitForEvent("close");
      await gpu.page.evaluate(() => document.querySelector("prompt-lens").remove());
      await ended;
      assert.equal(gpu.page.workers().length, 0);
    } finally {
      await gpu.close();
    }
  });
});
