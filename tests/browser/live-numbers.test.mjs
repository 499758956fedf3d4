// What live answers say, in numbers, as a page gets them from the package: how they are smoothed, when they reject,
// and that they need no network. The video is a canvas, and the page's clock stands until the test moves it.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { DIST, openBrowser, openSite, PAGES, recordRequests } from "./harness.mjs";

const SHOWN = ["cat", "church", "cup", "rocket"];
/** What numbers may differ by that were computed in another order. */
const SAME = 1e-9;

/** A page with a model, and a video that shows what it is told to. Runs in the page. */
async function setUp([entry, names]) {
  const { PromptLens } = await import(entry);
  const pictures = new Map();
  for (const name of names) pictures.set(name, await createImageBitmap(await (await fetch(`../samples/${name}.jpg`)).blob()));
  const canvas = Object.assign(document.createElement("canvas"), { width: 320, height: 240 });
  const context = canvas.getContext("2d");
  const video = Object.assign(document.createElement("video"), { muted: true });
  const stripes = () => {
    for (let x = 0; x < 320; x += 4) {
      context.fillStyle = `hsl(${(x * 47) % 360} 90% 50%)`;
      context.fillRect(x, 0, 4, 240);
    }
  };
  stripes();
  video.srcObject = canvas.captureStream(0);
  const [track] = video.srcObject.getTracks();
  track.requestFrame();
  await video.play();
  let time = 1000;
  performance.now = () => time;
  const lens = await PromptLens.load({ model: "../models/mini/", device: "cpu" });
  const classes = await lens.classes(names);
  /** Shows a sample, or stripes, and resolves once the video does. */
  const show = async (name) => {
    const picture = pictures.get(name);
    if (picture) context.drawImage(picture, 0, 0, 320, 240);
    else stripes();
    const there = new Promise((resolve) => video.requestVideoFrameCallback(resolve));
    track.requestFrame();
    await there;
  };
  /** The answers for `[milliseconds since the one before, picture]`. */
  const film = async (list, options, classifier = classes) => {
    const answers = classifier.live(video, options);
    const all = [];
    for (const [passed, name] of list) {
      await show(name);
      time += passed;
      all.push((await answers.next()).value);
    }
    await answers.return();
    return all;
  };
  window.live = { PromptLens, lens, classes, film, pictures };
}

/** The smoothed numbers of these answers, as docs/guide/live.md describes them. */
function smoothed(answers, passed, halfLife) {
  const shares = new Map();
  let score = null;
  let interval = null;
  return answers.map(({ unsmoothed: { predictions, ood } }, i) => {
    const kept = i > 0 && halfLife > 0 ? 0.5 ** (passed[i] / halfLife) : 0;
    const mix = (before, now) => (before === null || before === undefined ? now : kept * before + (1 - kept) * now);
    for (const { label, probability } of predictions) shares.set(label, mix(shares.get(label), probability));
    score = mix(score, ood.value);
    if (i > 0) interval = mix(interval, passed[i]);
    return { shares: new Map(shares), score, rate: interval === null ? null : 1000 / interval };
  });
}

describe("live answers in numbers", { timeout: 900_000 }, () => {
  let site;
  let session;
  let page;

  before(async () => {
    site = await openSite({ "": DIST, test: PAGES });
    session = await openBrowser({ webgpu: false, args: ["--autoplay-policy=no-user-gesture-required"] });
    page = session.page;
    await page.goto(`${site.url}test/package.html`);
    await page.evaluate(setUp, [`${site.url}pkg/index.js`, SHOWN]);
  });
  after(async () => {
    await session?.close();
    await site?.close();
  });

  const film = (list, options = {}) =>
    page.evaluate(async ([frames, how]) => (await window.live.film(frames, how)).map(({ frame, ...answer }) => ({ ...answer, bytes: frame.size })), [list, options]);

  for (const halfLife of [500, 120, 0]) {
    test(`are exponential means over time, with a half-life of ${halfLife} ms`, async () => {
      const list = [[0, "cat"], [33, "church"], [250, "church"], [7, "rocket"], [1000, "cup"], [500, "cup"]];
      const answers = await film(list, { halfLife });
      const expected = smoothed(answers, list.map(([passed]) => passed), halfLife);
      const best = answers.map(({ unsmoothed }) => unsmoothed.predictions[0].label);
      assert.ok(new Set(best).size > 1, `every frame is a ${best[0]}`);
      for (const [i, { predictions, ood, framesPerSecond }] of answers.entries()) {
        const { shares, score, rate } = expected[i];
        assert.equal(predictions.length, SHOWN.length);
        for (const { label, probability } of predictions) assert.ok(Math.abs(probability - shares.get(label)) < SAME, `${i}, ${label}: ${probability}, not ${shares.get(label)}`);
        assert.deepEqual(predictions, [...predictions].sort((a, b) => b.probability - a.probability));
        assert.ok(Math.abs(ood.value - score) < SAME, `${i}: ${ood.value}, not ${score}`);
        if (rate === null) assert.equal(framesPerSecond, null);
        else assert.ok(Math.abs(framesPerSecond - rate) < 1e-6 * rate, `${i}: ${framesPerSecond}, not ${rate}`);
      }
    });
  }

  test("count half as much after the half-life, however many frames came since", async () => {
    const share = ({ predictions }) => predictions.find(({ label }) => label === "cat").probability;
    const halfway = async (steps) => {
      const answers = await film([[0, "cat"], ...Array.from({ length: steps }, () => [500 / steps, "rocket"])], { halfLife: 500 });
      const [first, last] = [answers[0], answers.at(-1)].map((answer) => share(answer.unsmoothed));
      assert.ok(first - last > 0.2, `${first} and ${last} are too near to each other`);
      return (share(answers.at(-1)) - last) / (first - last);
    };
    for (const steps of [1, 5, 10]) {
      const left = await halfway(steps);
      assert.ok(Math.abs(left - 0.5) < 1e-6, `${steps} frames leave ${left}`);
    }
  });

  test("reject by a fitted threshold, and by the smoothed score", async () => {
    const found = await page.evaluate(async (names) => {
      const { PromptLens, classes, film } = window.live;
      const frames = [];
      for (const name of names) frames.push((await film([[0, name]]))[0].frame);
      const calibration = await classes.calibrate(Array.from({ length: 20 }, (_, i) => frames[i % frames.length]));
      const scores = await Promise.all(frames.map(async (frame) => (await classes.classify(frame)).ood.value));
      const surest = names[scores.indexOf(Math.max(...scores))];
      const told = ({ ood, unsmoothed }) => ({ ...ood, alone: unsmoothed.ood });
      const all = [[0, surest], [1, "stripes"], [60_000, "stripes"], [1, surest], [60_000, surest]];
      const answers = (await film(all)).map(told);
      // The same from a classifier file, with the fitted threshold and with a person's own.
      const opened = {};
      for (const [whose, rejection] of Object.entries({ fitted: { calibration }, own: { calibration, threshold: { score: "mcm", value: 2 } } })) {
        const classifier = await PromptLens.open(await classes.toClassifier({ rejection: { score: "mcm", ...rejection } }), { device: "cpu" });
        opened[whose] = (await film(all, {}, classifier)).map(told);
        classifier.free();
      }
      return { threshold: calibration.threshold, answers, opened };
    }, SHOWN);
    for (const { threshold, value, isOutlier, alone } of [...found.answers, ...found.opened.fitted]) {
      assert.equal(threshold, found.threshold);
      assert.equal(isOutlier, value < threshold);
      assert.equal(alone.isOutlier, alone.value < threshold);
    }
    assert.deepEqual(found.answers.map(({ alone }) => alone.isOutlier), [false, true, true, false, false]);
    // A millisecond after the scene changed, the answer is nearly the former one.
    for (const answers of [found.answers, found.opened.fitted]) assert.deepEqual(answers.map(({ isOutlier }) => isOutlier), [false, false, true, true, false]);
    for (const { threshold, isOutlier } of found.opened.own) assert.deepEqual([threshold, isOutlier], [2, true]);
  });

  test("need no network", async () => {
    await session.browser.setOffline(true);
    const requests = recordRequests(session.browser);
    assert.equal(await page.evaluate(() => fetch("../samples/cat.jpg", { cache: "no-store" }).then(() => "answered", () => "cut")), "cut");
    const [{ bytes }] = await film([[0, "cat"]]);
    assert.ok(bytes > 1000);
    assert.deepEqual(requests.filter((url) => !url.startsWith("blob:") && !url.endsWith("/samples/cat.jpg")), []);
  });
});
