// Learning a prompt through the package in Chromium: on photos, and CoOp's steps against PyTorch.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { cli, cosine, DIST, inWorker, needsShared, openBrowser, openSite, PAGES, readSafetensors, shared } from "./harness.mjs";
import { lesson } from "./lesson.mjs";
import { comparePredictions, loadPackage } from "./support.mjs";
import { assertResponsive, watchTasks } from "./tasks.mjs";

const MODEL = ["--model", join(DIST, "models/mini-vit"), "--device", "cpu"];

describe("learning", { skip: needsShared, timeout: 900_000 }, () => {
  let site;
  let session;
  let page;
  let photos;
  let labels;

  before(async () => {
    photos = await lesson("imagenette", 16);
    labels = [...new Set(photos.map(({ label }) => label))].sort();
    assert.equal(photos.length, 160);
    site = await openSite({ "": DIST, test: PAGES, "models/mini-0": shared("models/mini-0") });
    session = await openBrowser();
    page = session.page;
    const loaded = await loadPackage(page, site.url, { model: "../models/mini-vit/", device: "cpu" });
    assert.equal(loaded.message, undefined);
    const files = photos.map(({ label, bytes }) => ({ label, base64: Buffer.from(bytes).toString("base64") }));
    await page.evaluate((given) => {
      window.examples = given.map(({ label, base64 }) => ({
        label,
        image: new Blob([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))]),
      }));
    }, files);
  });
  after(async () => {
    await session?.close();
    await site?.close();
  });

  /** Learns from the page's examples with the options `how`; cancels after so many steps. */
  const learn = (how, { cancelAt = 0, names = labels, pick = photos.map((_, i) => i) } = {}) =>
    page.evaluate(
      async ([own, options, stopAt, chosen]) => {
        const classes = await window.lens.classes(own);
        const stop = new AbortController();
        const started = performance.now();
        const events = [];
        let stopped = 0;
        const onProgress = (event) => {
          events.push({ ...event, at: performance.now() - started });
          if (stopAt && event.stage === "train" && event.loaded === stopAt) {
            stopped = performance.now();
            stop.abort();
          }
        };
        try {
          const examples = chosen.map((i) => window.examples[i]);
          const prompt = await classes.train(examples, { ...options, onProgress, signal: stop.signal });
          window.prompt = prompt;
          const bytes = new Uint8Array(await prompt.toBlob().arrayBuffer());
          const text = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
          return { report: prompt.report, labels: prompt.labels, file: text, events };
        } catch (error) {
          // The engine is free again once it answers something else.
          const rejected = performance.now() - stopped;
          await window.lens.embedText(["a cat"]);
          return { code: error.code, message: error.message, rejected, free: performance.now() - stopped, events };
        } finally {
          classes.free();
        }
      },
      [names, how, cancelAt, pick],
    );

  test("10 classes of 16 photos with coop-snapshots: progress, a page that answers, a file that the command line reads", async () => {
    await watchTasks(page);
    const found = await learn({ recipe: "coop-snapshots", epochs: 20, seed: 3, crops: 2, validation: "held-out" });
    assert.equal(found.message, undefined);
    const { report, events } = found;
    await assertResponsive(page, "learning");
    console.log(`first progress ${events[0].at.toFixed(0)} ms, ${report.seconds.toFixed(1)} s`);
    // Reading the photos is told as it goes on, before the first step; photos that are read at the same
    // time may be told together.
    const reading = events.slice(0, events.findIndex(({ stage }) => stage === "train"));
    const told = reading.filter(({ stage }) => stage === "photos").map(({ loaded }) => loaded);
    assert.ok(told.length > 16, `told only ${told}`);
    assert.deepEqual(told, [...told].sort((a, b) => a - b));
    assert.equal(told.at(-1), 160);
    assert.ok(events[0].at < 100 * report.seconds, `${events[0].at} ms of ${report.seconds} s`);
    assert.equal(report.images, 160);
    // A context per class; its snapshots are the same numbers at other times.
    assert.equal(report.trainedParameters, 10 * 4 * 192);
    assert.equal(report.losses.length, 100);
    const steps = events.filter(({ stage, loss }) => stage === "train" && loss !== undefined);
    assert.deepEqual(steps.map(({ loss }) => loss), report.losses);
    assert.ok(steps.every(({ accuracy, loaded }, i) => accuracy >= 0 && accuracy <= 1 && loaded === i + 1));
    const mean = (values) => values.reduce((a, b) => a + b) / values.length;
    assert.ok(mean(report.losses.slice(-10)) < mean(report.losses.slice(0, 10)) - 0.05);
    assert.equal(report.measured, 40);
    for (const share of [report.accuracyBefore, report.accuracyAfter]) assert.ok(Math.abs(share * 40 - Math.round(share * 40)) < 1e-9);

    const file = join(site.folder, "prompt.safetensors");
    await writeFile(file, Buffer.from(found.file, "base64"));
    const image = join(site.folder, "photo.jpg");
    await writeFile(image, photos[40].bytes);
    const inPage = await page.evaluate(async (names) => {
      const { Prompt } = await import(new URL("../pkg/index.js", location.href).href);
      const read = await Prompt.from(window.prompt.toBlob());
      const answers = [];
      for (const how of [{ prompt: read }, {}]) {
        const classes = await window.lens.classes(names, how);
        answers.push((await classes.classify(window.examples[40].image, { ood: false })).predictions);
        classes.free();
      }
      return answers;
    }, labels);
    const { results } = await cli("classify", ...MODEL, "--labels", labels.join(","), "--prompt", file, image);
    comparePredictions(assert, inPage[0], results[0].predictions, 1e-3);
    assert.ok(inPage[0].some(({ label, probability }) => Math.abs(probability - inPage[1].find((p) => p.label === label).probability) > 0.01));
    const seen = await cli("inspect", file);
    assert.deepEqual([seen.recipe, seen.class_names], ["coop-snapshots", labels]);
  });

  test("cancels within some steps, and the engine goes on", async () => {
    const found = await learn({ epochs: 200, crops: 1 }, { cancelAt: 5 });
    assert.equal(found.code, "engine/cancelled");
    console.log(`rejected after ${found.rejected.toFixed(0)} ms, free after ${found.free.toFixed(0)} ms`);
    // Of 2000 steps.
    assert.ok(found.events.filter(({ stage }) => stage === "train").length < 100);
    assert.ok(found.free < found.events.at(-1).at, "what had begun went on after it was cancelled");
  });

  test("every recipe learns, and its prompt answers", async () => {
    const recipes = await page.evaluate(() => window.lens.recipes());
    assert.ok(recipes.length >= 16);
    const pick = [0, 1, 16, 17, 32, 33];
    const three = [0, 16, 32].map((i) => photos[i].label);
    for (const { name, needs, others, parameters, mostClasses } of recipes) {
      const names = three.slice(0, mostClasses ?? 3);
      const how = { recipe: name, crops: 2 };
      for (const [key, value] of [["epochs", 1], ["rounds", 1], ["unseen", "fox, wolf, bear"]]) if (parameters.some((p) => p.name === key)) how[key] = value;
      if (needs === "descriptions") how.descriptions = Object.fromEntries(names.map((own) => [own, [`${own} on grass`]]));
      if (others) how.negatives = ["violin", "soup", "gravel"];
      const found = await learn(how, { names, pick: pick.slice(0, 2 * names.length) });
      assert.equal(found.message, undefined, name);
      assert.equal(found.report.recipe, name);
      const best = await page.evaluate(async (own) => {
        const classes = await window.lens.classes(own, { prompt: window.prompt });
        const { predictions } = await classes.classify(window.examples[0].image);
        classes.free();
        return predictions.map(({ probability }) => probability);
      }, names);
      assert.ok(best.every((p) => p >= 0 && p <= 1), name);
      // Several classes may be right for this one.
      if (name !== "multi-lane") assert.ok(Math.abs(best.reduce((sum, p) => sum + p) - 1) < 1e-6, name);
    }
  });

  test("photos without labels are learned from by a recipe that needs none", async () => {
    const names = [0, 16, 32].map((i) => photos[i].label);
    const [images, code] = await page.evaluate(async (own) => {
      const classes = await window.lens.classes(own);
      const unlabelled = window.examples.map(({ image }) => image);
      const { report } = await classes.train([], { recipe: "tfup", unlabelled });
      const code = await classes.train([], { recipe: "coop", unlabelled }).then(() => null, (error) => error.code);
      classes.free();
      return [report.images, code];
    }, names);
    assert.deepEqual([images, code], [photos.length, "options/invalid"]);
  });

  test("the older spelling of a parameter works", async () => {
    const names = [0, 16].map((i) => photos[i].label);
    const losses = async (how) => {
      const found = await learn({ ...how, lr: "auto", epochs: 2, crops: 1 }, { names, pick: [0, 1, 16, 17] });
      assert.equal(found.message, undefined);
      return found.report.losses;
    };
    const older = await losses({ optimiser: "sgd" });
    assert.deepEqual(older, await losses({ optimizer: "sgd" }));
    assert.notDeepEqual(older, await losses({ optimizer: "adamw" }));
  });

  test("bad photos are named, and wrong calls are refused", async () => {
    await page.evaluate(() => {
      window.examples.push({ label: window.examples[0].label, image: new Blob(["no photo"]) });
    });
    const bad = photos.length;
    const names = [photos[0].label, "violin"];
    const found = await learn({ recipe: "tip-adapter" }, { names, pick: [bad, 0] });
    assert.deepEqual(found.report.failures.map(({ index, code }) => [index, code]), [[0, "image/unknown-format"]]);
    assert.equal(found.report.images, 1);
    assert.equal((await learn({}, { names, pick: [bad] })).code, "image/unknown-format");
    assert.equal((await learn({}, { names, pick: [] })).code, "data/empty");
    assert.equal((await learn({}, { names: ["violin"], pick: [0] })).code, "options/invalid");
    assert.equal((await learn({ recipe: "alchemy" }, { names, pick: [0] })).code, "options/invalid");
    assert.equal((await learn({ lr: "fast" }, { names, pick: [0] })).code, "options/invalid");
    const codes = await page.evaluate(async () => {
      const { Prompt } = await import(new URL("../pkg/index.js", location.href).href);
      const bytes = new Uint8Array(await window.prompt.toBlob().arrayBuffer());
      const text = new TextDecoder("latin1").decode(bytes);
      const at = text.indexOf(window.prompt.modelSha256);
      const other = bytes.slice();
      other.set(new TextEncoder().encode("0".repeat(64)), at);
      const wrong = await Prompt.from(other);
      const refused = async (work) => work().then(() => null, ({ code }) => code);
      return [
        await refused(() => Prompt.from(new Blob(["no prompt"]))),
        await refused(() => Prompt.from(bytes.subarray(0, 40))),
        await refused(() => window.lens.classes(["cat"], { prompt: wrong })),
        await refused(() => window.lens.classes(["cat"], { prompt: "coop" })),
      ];
    });
    assert.deepEqual(codes, ["prompt/invalid", "prompt/invalid", "prompt/wrong-model", "options/invalid"]);
  });
});

describe("CoOp's steps against PyTorch", { skip: needsShared, timeout: 900_000 }, () => {
  for (const [device, tolerance] of [["cpu", 1e-3], ["webgpu", 1e-2]]) {
    test(device, async () => {
      const site = await openSite({ "": DIST, test: PAGES, "models/mini-0": shared("models/mini-0") });
      const session = await openBrowser();
      try {
        const { tensors, metadata } = await readSafetensors(shared("fixtures/coop/trace.safetensors"));
        await session.page.goto(`${site.url}test/package.html`);
        const got = await inWorker(session.page, `${site.url}test/context.js`, {
          model: "../models/mini-0/",
          device,
          names: JSON.parse(metadata.names),
          start: Array.from(tensors.ctx_init.data),
          features: Array.from(tensors.image_features.data),
          labels: Array.from(tensors.labels.data, Number),
          descent: {
            lr: Number(metadata.lr),
            momentum: Number(metadata.momentum),
            weight_decay: Number(metadata.weight_decay),
            steps: tensors.losses.data.length,
          },
        });
        assert.equal(got.error, undefined);
        assert.equal(got.info.device.kind, device);
        const alike = cosine(got.firstGradient, Array.from(tensors.first_grad.data));
        const worst = Math.max(...got.losses.map((loss, i) => Math.abs(loss - tensors.losses.data[i])));
        const start = tensors.ctx_init.data;
        const norm = (of) => Math.hypot(...of);
        const end = Array.from(tensors.ctx_final.data);
        const off = norm(end.map((value, i) => value - got.context[i])) / norm(end.map((value, i) => value - start[i]));
        console.log(`${device}: losses ${worst.toExponential(2)}, gradient cosine ${alike.toFixed(8)}, context ${off.toExponential(2)}`);
        assert.ok(worst <= (device === "cpu" ? 1e-4 : 1e-2), `${worst}`);
        assert.ok(alike >= 0.9999, `${alike}`);
        assert.ok(off <= tolerance, `${off}`);
      } finally {
        await session.close();
        await site.close();
      }
    });
  }
});
