// "None of these" through the package, on the CPU of Chromium.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { crc32 } from "node:zlib";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { cli, cliOffers, DIST, needsShared, openBrowser, openSite, PAGES } from "./harness.mjs";
import { classifyInPage, LABELS, loadPackage, photo, photos, TEMPLATE } from "./support.mjs";

describe("rejection", { skip: needsShared, timeout: 900_000 }, () => {
  let site;
  let session;
  let page;
  let church;

  before(async () => {
    site = await openSite({ "": DIST, test: PAGES });
    session = await openBrowser({ webgpu: false });
    page = session.page;
    church = await photo("imagenette", "test/church/");
    const loaded = await loadPackage(page, site.url, { model: "../models/mini-vit/", device: "cpu" });
    assert.equal(loaded.message, undefined);
  });
  after(async () => {
    await session?.close();
    await site?.close();
  });

  const score = (ood, labels = LABELS, more = {}) => classifyInPage(page, labels, church.buffer, { templates: [TEMPLATE] }, { ood, ...more });

  test("every answer has a score unless it is switched off", async () => {
    const { ood } = await score(undefined);
    assert.equal(ood.score, "mcm");
    assert.ok(ood.value > 1 / LABELS.length && ood.value < 1, `mcm ${ood.value}`);
    assert.deepEqual([ood.threshold, ood.isOutlier, ood.stale, ood.nearestNegatives], [null, null, null, []]);
    assert.equal((await score(false)).ood, null);
  });

  test("scores by name", async () => {
    const { predictions } = await score(false);
    const p = predictions.map(({ probability }) => probability);
    const entropy = await score("entropy");
    assert.ok(Math.abs(entropy.ood.value - p.reduce((sum, x) => sum + x * Math.log(x), 0)) < 1e-4, `entropy ${entropy.ood.value}`);
    const variance = await score("variance");
    const expected = p.reduce((sum, x) => sum + (x - 1 / p.length) ** 2, 0) / p.length;
    assert.ok(Math.abs(variance.ood.value - expected) < 1e-5, `variance ${variance.ood.value}`);
    for (const name of ["max-logit", "energy", "gl-mcm"]) {
      const { ood } = await score(name);
      assert.equal(ood.score, name);
      assert.ok(Number.isFinite(ood.value));
    }
    assert.equal((await score("guess")).code, "options/invalid");
    assert.equal((await score("mcm", ["church"])).ood.value, 1);
  });

  test("negative labels can be given", async () => {
    const words = ["zebra", "spoon", "keyboard", "cathedral"];
    const { ood } = await score("neglabel", LABELS, { negatives: words, groups: 1 });
    assert.equal(ood.score, "neglabel");
    assert.ok(ood.value > 0 && ood.value < 1);
    assert.equal(ood.nearestNegatives.length, 3);
    assert.ok(ood.nearestNegatives.every((word) => words.includes(word)));
    assert.equal(ood.nearestNegatives[0], "cathedral");
  });

  test("scores as the command line does", async (t) => {
    if (!(await cliOffers("classify", "--ood"))) return t.skip("this command line has no scores");
    const file = join(site.folder, church.name);
    await writeFile(file, church.buffer);
    const common = ["--model", join(DIST, "models/mini-vit"), "--device", "cpu", "--labels", LABELS.join(","), "--template", TEMPLATE];
    for (const name of ["mcm", "energy", "gl-mcm"]) {
      const { results } = await cli("classify", ...common, "--ood", name, file);
      const { ood } = await score(name);
      assert.ok(Math.abs(ood.value - results[0].ood.value) < 1e-3, `${name}: ${ood.value} instead of ${results[0].ood.value}`);
    }
  });

  test("a threshold is fitted, used, kept, and left aside where it does not hold", async () => {
    const sunflowers = await photos("flowers", "train/sunflowers/", 20);
    const stripes = await photo("textures", "test/banded/");
    const got = await page.evaluate(
      async ([labels, own, other]) => {
        const blob = (base64) => new Blob([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))]);
        const images = own.map(blob);
        const classes = await window.lens.classes(labels);
        const tooFew = await classes.calibrate(images.slice(0, 18)).catch(({ code, message }) => ({ code, message }));
        const steps = [];
        const calibration = await classes.calibrate([...images.slice(0, 19), new Blob(["no photo"])], {
          onProgress: (event) => steps.push(event),
        });
        const inside = await classes.classify(images[19]);
        const outside = await classes.classify(blob(other));
        const otherScore = await classes.classify(images[19], { ood: "energy" });
        const otherTuning = await classes.classify(images[19], { tune: "tpt", views: 1 });
        const again = await window.lens.classes(labels);
        await again.useCalibration(calibration.file);
        const kept = await again.classify(blob(other));
        const otherNames = await window.lens.classes([...labels, "zebra"]);
        await otherNames.useCalibration(calibration.file);
        const stale = await otherNames.classify(blob(other));
        const damaged = await again.useCalibration("{}").catch(({ code }) => code);
        for (const set of [classes, again, otherNames]) set.free();
        return { tooFew, calibration, steps, inside, outside, otherScore, otherTuning, kept, stale, damaged };
      },
      [LABELS, sunflowers.map(({ buffer }) => buffer.toString("base64")), stripes.buffer.toString("base64")],
    );
    assert.equal(got.tooFew.code, "calibration/too-few");
    assert.match(got.tooFew.message, /19/);

    const { score: name, threshold, n, m, interval, scores, failures } = got.calibration;
    assert.deepEqual([name, n, m, scores.length], ["mcm", 19, 1, 19]);
    assert.equal(threshold, Math.min(...scores));
    assert.ok(interval.low < 0.05 && interval.high > 0.05);
    assert.deepEqual(failures.map(({ index, code }) => [index, code]), [[19, "image/unknown-format"]]);
    assert.deepEqual(got.steps.filter(({ stage }) => stage === "calibrate").map(({ loaded }) => loaded), Array.from({ length: 21 }, (_, i) => i));

    for (const { ood } of [got.inside, got.outside]) {
      assert.equal(ood.threshold, threshold);
      assert.equal(ood.isOutlier, ood.value < threshold);
      assert.equal(ood.stale, null);
    }
    // Only the names that fit sunflowers make sunflowers a measure, which a striped texture does not meet.
    assert.equal(got.outside.ood.isOutlier, true);
    assert.deepEqual(got.kept.ood, got.outside.ood);
    for (const [why, { ood }] of [["score", got.otherScore], ["tuning", got.otherTuning], ["class", got.stale]]) {
      assert.deepEqual([ood.threshold, ood.isOutlier], [null, null]);
      assert.match(ood.stale, new RegExp(why), ood.stale);
    }
    assert.equal(got.damaged, "calibration/invalid");
  });

  test("negative labels are mined once, and can be edited", async () => {
    const got = await page.evaluate(
      async ([labels, base64]) => {
        const blob = new Blob([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))]);
        const classes = await window.lens.classes(labels);
        const stages = new Set();
        const first = await classes.classify(blob, { ood: "neglabel", onProgress: ({ stage }) => stages.add(stage) });
        const later = new Set();
        const second = await classes.classify(blob, { ood: "neglabel", onProgress: ({ stage }) => later.add(stage) });
        const [struck] = first.ood.nearestNegatives;
        const mined = await classes.mineNegatives({ struck: [struck], added: ["zeppelin hangar"] });
        const third = await classes.classify(blob, { ood: "neglabel" });
        classes.free();
        return { first, second, third, struck, mined, stages: [...stages], later: [...later] };
      },
      [LABELS, church.buffer.toString("base64")],
    );
    assert.ok(got.stages.includes("vocabulary"), got.stages.join());
    assert.deepEqual(got.later, ["encode"]);
    assert.deepEqual(got.first.ood, got.second.ood);
    assert.ok(got.mined.labels.length > 100, `${got.mined.labels.length} negative labels`);
    assert.ok(!got.mined.labels.includes(got.struck));
    assert.ok(got.mined.labels.includes("zeppelin hangar"));
    assert.ok(got.mined.excluded.some(({ word, because }) => word === got.struck && because.reason === "struck"));
    assert.ok(!LABELS.some((label) => got.mined.labels.includes(label)));
    assert.ok(!got.third.ood.nearestNegatives.includes(got.struck));
  });

  test("unlabelled photos of a zip become examples for LAPT", async () => {
    const flowers = await photos("flowers", "train/sunflowers/", 6);
    const textures = await photos("textures", "test/banded/", 3);
    const files = [...flowers, ...textures].map(({ buffer }, i) => [`pile/${i}.jpg`, buffer]);
    const archive = zip([...files, ["pile/notes.jpg", Buffer.from("no photo")]]);
    const got = await page.evaluate(
      async ([labels, base64]) => {
        const blob = new Blob([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))]);
        const unpacked = await window.lens.unpack(new File([blob], "pile.zip"));
        const classes = await window.lens.classes(labels);
        const images = unpacked.map(({ file }) => file);
        const stages = new Set();
        const found = await classes.pseudoLabel(images, { perClass: 4, onProgress: ({ stage }) => stages.add(stage) });
        const again = await classes.collect(images, { perClass: 4, negatives: ["stripes"] });
        const place = (image) => images.indexOf(image);
        const bad = await window.lens.unpack(new Blob(["PK\u0003\u0004 nothing"])).catch(({ code }) => code);
        classes.free();
        return {
          paths: unpacked.map(({ path }) => path),
          own: found.examples.map(({ image, label }) => [place(image), label]),
          others: found.others.map(place),
          surplus: found.surplus.map(place),
          failures: found.failures,
          again: again.examples.length + again.others.length + again.surplus.length,
          stages: [...stages],
          bad,
        };
      },
      [LABELS, archive.toString("base64")],
    );
    assert.deepEqual(got.paths, [...files.map(([name]) => name), "pile/notes.jpg"]);
    const all = [...got.own.map(([place]) => place), ...got.others, ...got.surplus].sort((a, b) => a - b);
    assert.deepEqual(all, [0, 1, 2, 3, 4, 5, 6, 7, 8], "every photo is somewhere, once");
    for (const label of LABELS) assert.ok(got.own.filter(([, own]) => own === label).length <= 4, label);
    assert.deepEqual(got.failures.map(({ index, code }) => [index, code]), [[9, "image/unknown-format"]]);
    assert.equal(got.again, 9);
    assert.ok(got.stages.includes("gather"), got.stages.join());
    assert.equal(got.bad, "data/invalid");
  });
});

/** A zip of stored files. */
function zip(files) {
  const locals = [];
  const central = [];
  let offset = 0;
  for (const [name, bytes] of files) {
    const header = Buffer.alloc(26);
    header.writeUInt16LE(20, 0);
    header.writeUInt32LE(crc32(bytes), 10);
    header.writeUInt32LE(bytes.length, 14);
    header.writeUInt32LE(bytes.length, 18);
    header.writeUInt16LE(Buffer.byteLength(name), 22);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(offset, 10);
    locals.push(Buffer.from("PK\u0003\u0004"), header, Buffer.from(name), bytes);
    central.push(Buffer.from("PK\u0001\u0002"), Buffer.from([20, 0]), header, tail, Buffer.from(name));
    offset += 30 + Buffer.byteLength(name) + bytes.length;
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(files.length, 4);
  end.writeUInt16LE(files.length, 6);
  end.writeUInt32LE(directory.length, 8);
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...locals, directory, Buffer.from("PK\u0005\u0006"), end]);
}
