// <prompt-lens> on bare pages of another origin, under a strict policy, as a web developer embeds it.
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { cli, DIST, needsShared, openBrowser, openSite, shared } from "./harness.mjs";
import { looks } from "./looks.mjs";

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
    const globals = () => page.evaluate(() => Object.getOwnPropertyNames(window).sort());
    await visit("blank.html", "");
    const blank = await globals();
    await writeFile(
      join(host.folder, "own.css"),
      "prompt-lens { --prompt-lens-accent: rgb(1, 2, 3); --prompt-lens-radius: 7px; }\nprompt-lens::part(name) { font-style: italic; }\nprompt-lens::part(status) { color: rgb(4, 5, 6); }\n",
    );
    await visit(
      "one.html",
      `<link rel="stylesheet" href="/own.css"><script type="module" src="${widgetSite.url}pkg/element.js"></script>
      <prompt-lens labels="sunflowers, ship, dog" device="cpu" heatmap><h2 slot="header">A garden</h2><b slot="choose">Pick a flower</b><p>With thanks.</p></prompt-lens>`,
    );
    await page.waitForFunction(() => customElements.get("prompt-lens"));
    assert.deepEqual(await globals(), blank);
    for (const [slot, words] of [["h2", "A garden"], ["b", "Pick a flower"], ["p", "With thanks."]]) {
      assert.ok(await page.locator(`prompt-lens > ${slot}`, { hasText: words }).isVisible(), `${slot} is shown`);
    }
    assert.ok(await page.locator("prompt-lens .drop strong").isHidden(), "a slot takes the invitation's place");
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
    const styles = await page.evaluate(() => {
      const style = (part) => getComputedStyle(document.querySelector("prompt-lens").shadowRoot.querySelector(`[part=${part}]`));
      return [style("fill").backgroundColor, style("box").borderRadius, style("name").fontStyle, style("share").fontStyle, style("status").color];
    });
    assert.deepEqual(styles, ["rgb(1, 2, 3)", "7px", "italic", "normal", "rgb(4, 5, 6)"]);
    assert.deepEqual(complaints, []);
    // In its own clothes it is looked at.
    await page.evaluate(() => document.querySelector("link[rel=stylesheet]").remove());
    await looks(page, "widget", { include: "prompt-lens" });
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

    const back = await page.evaluate(async () => {
      const { kept } = window;
      const progress = [];
      document.addEventListener("progress", ({ target, detail }) => progress.push([target === kept, detail.stage, detail.source]));
      // Without a photo these change no answer yet.
      kept.setAttribute("tune", "tpt");
      kept.setAttribute("template", '["a photo of a {}.", "a drawing of a {}."]');
      document.body.append(kept);
      const photo = await (await fetch("sample.jpg")).blob();
      const { predictions, tuning } = await kept.classify(photo, { views: 4 });
      const plain = await kept.classify(photo, { tune: "none" });
      const classes = await (await kept.ready).classes(kept.labels, { templates: ["a photo of a {}.", "a drawing of a {}."] });
      const { predictions: same } = await classes.classify(photo);
      const one = await (await kept.ready).classes(kept.labels);
      const { predictions: other } = await one.classify(photo);
      return { labels: predictions.length, views: tuning.views, untuned: plain.tuning, plain: plain.predictions, same, other, progress };
    });
    assert.deepEqual([back.labels, back.views, back.untuned], [2, 4, null]);
    assert.deepEqual(back.plain, back.same);
    assert.notDeepEqual(back.plain, back.other);
    assert.ok(back.progress.every(([own]) => own));
    const stages = new Set(back.progress.map(([, stage]) => stage));
    for (const stage of ["engine", "weights", "self-test"]) assert.ok(stages.has(stage), `${[...stages]}`);
    await page.evaluate(() => window.kept.remove());
  });

  test("two on one page with different models do not disturb each other", { skip: needsShared }, async () => {
    complaints.length = 0;
    // Other weights, made from the same source in 4 bits: other answers to the same question.
    await cli("convert", "--model", shared("models/mini-0"), "--quant", "q4", "--out", join(widgetSite.folder, "models/mini-q4"));
    const widget = (id, model, more = "") => `<prompt-lens id="${id}" labels="dog, sunflowers, horse" device="cpu" model="${widgetSite.url}models/${model}/" ${more}></prompt-lens>`;
    const script = `<script type="module" src="${widgetSite.url}pkg/element.js"></script>`;
    const answers = (ids) =>
      page.evaluate(async (wanted) => {
        await customElements.whenDefined("prompt-lens");
        const photo = await (await fetch("sample.jpg")).blob();
        const all = wanted.map((id) => document.getElementById(id));
        // At the same time, and twice each, in turn.
        const results = await Promise.all([...all, ...all].map((one) => one.classify(photo)));
        const infos = await Promise.all(all.map((one) => one.ready));
        return all.map((one, i) => ({
          predictions: results[i].predictions,
          again: results[i + all.length].predictions,
          shown: one.result.predictions,
          model: infos[i].info.model,
          quantization: infos[i].info.quantization,
        }));
      }, ids);
    const alone = [];
    for (const model of ["mini", "mini-q4"]) {
      await visit(`${model}.html`, `${script}\n${widget("a", model)}`);
      alone.push((await answers(["a"]))[0].predictions);
    }
    assert.notDeepEqual(alone[0], alone[1]);

    await visit("two.html", `${script}\n${widget("a", "mini")}\n${widget("b", "mini-q4", 'lang="zh"')}`);
    const both = await answers(["a", "b"]);
    assert.deepEqual(both.map(({ model, quantization }) => [model, quantization]), [["mini", "q8"], ["mini-q4", "q4"]]);
    both.forEach(({ predictions, again, shown }, i) => {
      for (const each of [predictions, again, shown]) assert.deepEqual(each, alone[i]);
    });
    assert.equal(workers(), 2);
    assert.equal(await page.locator("#b strong").textContent(), "选择照片");

    const ended = page.workers()[0].waitForEvent("close");
    await page.evaluate(() => document.getElementById("a").remove());
    await ended;
    assert.equal(workers(), 1);
    const [after] = await answers(["b"]);
    assert.deepEqual(after.predictions, alone[1]);
    assert.deepEqual(complaints, []);
  });

  test("while its model is loading it says so", async () => {
    await page.route("**/*.safetensors", () => {});
    await visit("loading.html", `<script type="module" src="${widgetSite.url}pkg/element.js"></script>\n<prompt-lens labels="dog, ship" device="cpu"></prompt-lens>`);
    await page.setInputFiles("prompt-lens input[type=file]", sample("sunflower"));
    await page.waitForFunction(() => document.querySelector("prompt-lens").shadowRoot.querySelector("progress")?.checkVisibility());
    assert.equal(await page.locator("prompt-lens .error:visible").count(), 0);
    assert.ok((await page.locator("prompt-lens progress").evaluate((bar) => bar.position)) < 1, "full before the weights are there");
    assert.doesNotMatch(await page.locator("prompt-lens .status").textContent(), /100/);
    await looks(page, "widget-loading", { include: "prompt-lens" });
    await page.unroute("**/*.safetensors");
  });

  test("errors are said and told, and can be tried again", async () => {
    await visit(
      "wrong.html",
      `<script type="module" src="${widgetSite.url}pkg/element.js"></script>\n<prompt-lens labels="dog,ship" device="cpu" model="${widgetSite.url}nowhere/"></prompt-lens>`,
    );
    await page.waitForFunction(() => document.querySelector("prompt-lens")?.shadowRoot?.querySelector(".error:not([hidden])"));
    assert.match(await page.locator("prompt-lens .error").textContent(), /config\/missing|network\/failed/);
    await looks(page, "widget-failed", { include: "prompt-lens" });
    const told = page.evaluate(() => new Promise((resolve) => document.querySelector("prompt-lens").addEventListener("error", ({ detail }) => resolve(detail.code))));
    await page.locator("prompt-lens button:visible").click();
    assert.match(await told, /config\/missing|network\/failed/);
    await page.evaluate((model) => document.querySelector("prompt-lens").setAttribute("model", model), `${widgetSite.url}models/mini/`);
    await page.evaluate(() => new Promise((resolve) => document.querySelector("prompt-lens").addEventListener("ready", resolve)));
    assert.ok(await page.locator("prompt-lens .error").isHidden());
    const code = await page.evaluate(() => document.querySelector("prompt-lens").classify(new Blob(["words"])).catch((error) => error.code));
    assert.equal(code, "image/unknown-format");
    assert.match(await page.locator("prompt-lens .error").textContent(), /image\/unknown-format/);
    const sentence = await page.locator("prompt-lens .error").textContent();
    await page.evaluate(() => document.querySelector("prompt-lens").setAttribute("lang", "zh"));
    assert.equal(await page.locator("prompt-lens .error").textContent(), "这张照片无法使用，请换一张。 (image/unknown-format)");
    assert.ok(sentence.startsWith(await page.locator("prompt-lens .error").getAttribute("title")), sentence);
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
