// The page's session in Node, with the real package and engine: its phases, and the queue of photos.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { serve } from "../../scripts/serve.mjs";
import { DIST } from "./harness.mjs";
import { becomePage, workers } from "./node_worker.mjs";
import { Session } from "../../www/session.js";
import { NegativeLabels } from "../../www/state/negatives.js";
import { Photo } from "../../www/state/photo.js";
import { Variants } from "../../www/state/variants.js";
import { judged, recalibrated } from "../../www/state/verdict.js";

const NAMES = ["cat", "dog", "church"];

describe("the session", { timeout: 900_000 }, () => {
  let server;
  let bytes;
  let load;
  /** What happened, as `type` or `type:phase`. */
  let told;
  let session;

  const file = (name) => new File([bytes], name, { type: "image/jpeg" });
  const settings = () => ({ model: `${server.url}models/mini/`, device: "cpu" });
  const states = () => [...session.photos].map(({ state }) => state);
  /** Resolves once the session tells `type` and `condition` holds. */
  const until = (type, condition = () => true) =>
    new Promise((resolve) => {
      const check = ({ detail }) => {
        if (!condition(detail)) return;
        session.removeEventListener(type, check);
        resolve(detail);
      };
      session.addEventListener(type, check);
    });
  const allDone = () => until("change", () => !session.working && [...session.photos].every(({ done }) => done));

  before(async () => {
    becomePage();
    server = await serve({ root: DIST });
    const { PromptLens } = await import(join(DIST, "pkg/index.js"));
    load = (options) => PromptLens.load({ ...options, store: false });
    bytes = await readFile(join(DIST, "samples/cat.jpg"));
    session = new Session({ load, settings: settings(), pauseMs: 20 });
    told = [];
    for (const type of ["phase", "model", "names", "names-problem", "classes", "unknown", "added", "removed", "cleared", "answered", "failed"]) {
      session.addEventListener(type, () => told.push(type === "phase" ? `phase:${session.phase}` : type));
    }
  });
  after(async () => {
    for (const worker of workers) worker.terminate();
    await server?.close();
  });

  test("photos wait for the model, then for the names, and are answered in turn", async () => {
    const [first] = [session.add([file("1.jpg"), file("2.jpg")]), ...session.photos].slice(1);
    assert.deepEqual([session.phase, first.state, first.waitsFor.reason], ["loading", "waiting", "model"]);
    session.setNames(NAMES, NAMES);
    const loading = session.load();
    assert.equal(session.usable, false);
    await loading;
    assert.equal(session.phase, "ready");
    assert.equal(session.info.device.kind, "cpu");
    assert.ok(session.recipes.some(({ name }) => name === "coop"));
    await session.prepare();
    assert.deepEqual(states(), ["done", "done"]);
    assert.deepEqual(session.settled, 2);
    assert.equal(first.result.predictions[0].label, "cat");
    assert.equal(first.result.ood.score, "mcm");
    assert.equal(first.waitsFor.rows, 3);
    assert.deepEqual(told, ["added", "names", "phase:ready", "model", "names-problem", "classes", "unknown", "answered", "answered"]);
  });

  test("names that the engine refuses make photos wait for better ones", async () => {
    told = [];
    session.editNames([]);
    assert.deepEqual(states(), ["waiting", "waiting"]);
    const problem = await until("names-problem");
    assert.equal(problem.code, "labels/empty");
    assert.equal(session.phase, "refused");
    const [photo] = session.photos;
    assert.equal(photo.waitsFor.reason, "names");
    session.useOptions();
    assert.equal(session.phase, "refused");
    session.go();
    assert.equal(session.phase, "refused");

    const done = allDone();
    session.addNames(["cat", "dog", "cat"]);
    assert.equal(session.phase, "ready");
    session.addNames(["church"]);
    await done;
    assert.deepEqual(session.names, NAMES);
    assert.deepEqual(told.filter((type) => type.startsWith("phase") || type === "classes"), ["phase:refused", "phase:ready", "classes"]);
  });

  test("a sentence without a place for the name is refused", async () => {
    session.editTemplate("a photo");
    const problem = await until("names-problem", Boolean);
    assert.match(problem.code, /^prompt\//);
    assert.equal([...session.photos][0].waitsFor.reason, "usable-names");
    const done = allDone();
    session.editTemplate("a photo of a {}.");
    await done;
  });

  test("work that is stopped goes on where it was", async () => {
    session.add([file("3.jpg"), file("4.jpg")]);
    assert.equal(session.working, true);
    session.stop();
    assert.equal(session.phase, "stopped");
    assert.deepEqual(states(), ["done", "done", "stopped", "stopped"]);
    assert.deepEqual([session.working, session.settled], [false, 2]);
    const done = allDone();
    session.go();
    assert.equal(session.phase, "ready");
    await done;
    // With nothing to answer there is nothing to stop.
    session.stop();
    assert.equal(session.phase, "ready");
    assert.deepEqual(states(), ["done", "done", "done", "done"]);
  });

  test("other settings answer every photo anew, and end a stop", async () => {
    session.setTune({ tune: "tpt", views: 2, steps: 1, seed: 0 });
    session.stop();
    assert.equal(session.phase, "stopped");
    let done = allDone();
    session.setTune({ tune: "none" });
    assert.equal(session.phase, "ready");
    session.setTune({ tune: "none" });
    await done;
    done = allDone();
    session.setScore("");
    assert.deepEqual(states(), ["waiting", "waiting", "waiting", "waiting"]);
    await done;
    assert.deepEqual(session.rejection.scores, []);
    done = allDone();
    session.setScore("mcm");
    await done;
    assert.equal(session.rejection.scores.length, 4);
  });

  test("the user's own threshold judges what is answered, and is taken back", async () => {
    const [photo] = session.photos;
    let verdicts = 0;
    photo.addEventListener("verdict", () => (verdicts += 1));
    session.rejection.setThreshold(photo.result.ood.value + 1);
    assert.equal(photo.result.ood.isOutlier, true);
    session.rejection.setThreshold(null);
    assert.deepEqual([photo.result.ood.isOutlier, photo.result.ood.threshold, verdicts], [null, null, 2]);
  });

  test("a calibration judges the answers; one that is stopped changes nothing", async () => {
    const stopped = session.rejection.calibrate(Array.from({ length: 30 }, (_, i) => file(`${i}.jpg`)), () => {});
    session.rejection.stopCalibrating();
    assert.equal(await stopped, null);
    assert.equal(session.rejection.calibration, null);
    await assert.rejects(() => session.rejection.calibrate([file("1.jpg")], () => {}), { code: /^calibration\// });

    const stages = new Set();
    const made = await session.rejection.calibrate(Array.from({ length: 19 }, (_, i) => file(`${i}.jpg`)), ({ stage }) => stages.add(stage));
    assert.ok(stages.has("calibrate"));
    assert.equal(session.rejection.calibration, made);
    for (const { isOutlier, threshold } of session.rejection.scores) assert.deepEqual([isOutlier, threshold], [false, made.threshold]);
    // A later class list takes it over, as long as it holds.
    const done = allDone();
    await session.prepare();
    await done;
    assert.ok(session.rejection.scores.every(({ threshold }) => threshold === made.threshold));
  });

  test("a photo that cannot be read fails alone; one that is removed is forgotten", async () => {
    const done = until("change", () => !session.working && session.settled === 6);
    session.add([new File(["words"], "words.jpg"), file("5.jpg")]);
    await done;
    const [broken] = [...session.photos].slice(-2);
    assert.deepEqual([broken.state, broken.error.code, session.phase], ["failed", "image/unknown-format", "ready"]);
    const removed = until("removed");
    session.remove(broken);
    assert.equal(await removed, broken);
    assert.equal(session.photos.size, 5);
  });

  test("without a photo that waits, nothing is stopped", () => {
    session.add([file("6.jpg")]);
    session.stop();
    assert.equal(session.phase, "stopped");
    session.remove([...session.photos].at(-1));
    assert.equal(session.phase, "ready");
    session.add([file("7.jpg")]);
    session.stop();
    session.clear();
    assert.deepEqual([session.phase, session.photos.size, session.settled], ["ready", 0, 0]);
  });

  test("calls that do not wait for the class list", async () => {
    assert.deepEqual((await session.calls.parseLabels("cat, dog\nfish")).labels, ["cat", "dog", "fish"]);
    assert.deepEqual(await session.calls.classFolders(["a/1.jpg", "2.jpg"]), ["a", null]);
    const examples = NAMES.map((label, i) => ({ image: file(`${i}.jpg`), label }));
    const prompt = await session.calls.train(examples, { recipe: "coop", epochs: 1, validation: "none" });
    const compared = await session.calls.compare([file("1.jpg"), new File(["words"], "words.jpg")], prompt);
    assert.equal(compared[0].after.label.length > 0, true);
    assert.equal(compared[1].error.code, "image/unknown-format");
    session.usePrompt(prompt, "0".repeat(64));
    await until("unknown");
    assert.equal(session.prompt, prompt);
  });

  test("another model takes over once it is there; one that cannot be loaded changes nothing", async () => {
    session.add([file("1.jpg")]);
    await allDone();
    const how = { onProgress() {} };
    await assert.rejects(() => session.useModel({ model: `${server.url}models/none/`, address: "./models/none/" }, how));
    assert.deepEqual([session.phase, session.settings.model, states()], ["ready", settings().model, ["done"]]);
    const done = allDone();
    await session.useModel({ model: `${server.url}models/mini-vit/`, address: "./models/mini-vit/" }, how);
    await done;
    assert.equal(session.settings.model, "./models/mini-vit/");
    // It belongs to the model before.
    assert.equal(session.prompt, null);
    assert.deepEqual(states(), ["done"]);
  });

  test("an engine that ends is said, and loading begins anew", async () => {
    const [photo] = session.photos;
    workers.at(-1).crash();
    session.go();
    session.add([file("2.jpg")]);
    await until("phase");
    assert.deepEqual([session.phase, session.usable, session.engineError.code], ["gone", false, "engine/internal"]);
    await assert.rejects(() => session.explain(photo, "patches"), session.engineError);
    await assert.rejects(() => session.calls.unpack(new File(["x"], "x.zip")), { key: "status.failed" });
    session.editNames(["dog", "cat"]);
    session.useOptions();
    assert.equal(session.phase, "gone");
    assert.ok([...session.photos].every(({ state, waitsFor }) => state === "waiting" && waitsFor.reason === "model"));

    session.settings.model = `${server.url}models/none/`;
    await session.load();
    assert.equal(session.phase, "gone");
    session.settings.model = settings().model;
    // The first attempt does not matter any more.
    const [early, late] = [session.load(), session.load("cpu")];
    await Promise.all([early, late]);
    assert.equal(session.phase, "ready");
    await session.prepare();
    assert.deepEqual(states(), ["done", "done"]);
    const [{ result }] = session.photos;
    const { heatmap } = { heatmap: await session.explain(photo, "patches") };
    assert.equal(heatmap.maps.length, result.predictions.length);
  });
});

test("negative labels: edits of mined words, and a list in their place", () => {
  const labels = new NegativeLabels();
  labels.words = ["stone", "river"];
  assert.deepEqual([labels.edited, labels.mustBeMined("neglabel"), labels.forTraining], [false, false, {}]);
  labels.strike("stone");
  assert.equal(labels.add("river"), false);
  assert.equal(labels.add("tool"), true);
  assert.deepEqual(labels.edits, { struck: ["stone"], added: ["tool"] });
  assert.deepEqual([labels.mustBeMined("lapt"), labels.mustBeMined("mcm"), labels.optionFor("lapt")], [true, false, {}]);
  assert.deepEqual(labels.forTraining, { negatives: ["stone", "river"] });
  labels.strike("tool");
  assert.equal(labels.add("stone"), false);
  labels.replace(["sky", "sea"]);
  labels.strike("sea");
  assert.deepEqual([labels.optionFor("neglabel"), labels.optionFor("mcm"), labels.edited], [{ negatives: ["sky"] }, {}, false]);
  labels.restore();
  assert.deepEqual([labels.edits, labels.own, labels.fresh], [{ struck: [], added: [] }, null, false]);
});

test("pictures go with the photo whose name theirs begins with, or with the only photo", () => {
  const named = (name) => new File(["x"], name);
  const [cat, catalog] = [new Photo(named("cat.jpg")), new Photo(named("Catalog.png"))];
  const variants = new Variants();
  assert.equal(variants.add([named("cat-1.png"), named("catalog-1.png"), named("dog.png")], [cat, catalog]), true);
  assert.deepEqual([variants.count, variants.astray], [2, 1]);
  assert.deepEqual(variants.optionsFor(cat, [cat, catalog]).variants.map(({ name }) => name), ["cat-1.png"]);
  assert.deepEqual(variants.optionsFor(catalog, [cat, catalog]).gallery, []);
  variants.borrows = true;
  assert.deepEqual(variants.optionsFor(catalog, [cat, catalog]).gallery, [cat.file]);
  variants.remove(catalog);
  assert.equal(variants.count, 1);
  assert.equal(variants.add([named("dog.png")], [cat, catalog]), false);
  assert.equal(variants.add([named("dog.png")], [cat]), true);
});

test("a verdict by another threshold keeps the calibrated one", () => {
  const ood = { score: "mcm", value: 0.5, threshold: 0.4, isOutlier: false, stale: null };
  const own = judged(ood, { score: "mcm", value: 0.6 });
  assert.deepEqual([own.isOutlier, own.threshold], [true, 0.6]);
  assert.deepEqual(judged(own, null), ood);
  assert.deepEqual(judged(ood, { score: "energy", value: 0.6 }), ood);
  assert.equal(judged(null, null), null);
  assert.deepEqual(recalibrated(own, 0.55), { ...ood, threshold: 0.55, isOutlier: true });
});
