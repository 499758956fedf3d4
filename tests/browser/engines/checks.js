/**
 * The checks that run inside the page, through the package alone: `?device=cpu` or `?device=webgpu`. What they
 * found becomes `window.report`; until then `window.doing` names the running one.
 */
import { PromptLens } from "../../pkg/index.js";
import { CALIBRATION, differences, inOrder, KERNELS, LEARNING, LESSON, MODEL, NAMES, PICTURES, SENTENCES, TEMPLATES, TUNED } from "./cases.js";

const SITE = new URL("../../", import.meta.url);
const device = new URLSearchParams(location.search).get("device");

let lens;
let classes;

const picture = async (path) => (await fetch(new URL(path, SITE))).blob();

const checks = {
  async load() {
    lens = await PromptLens.load({ model: new URL(`models/${MODEL}/`, SITE), device });
    const { selfTest, store, version, device: used } = lens.info;
    return { device: used, selfTest, store, version };
  },
  // One list of all sentences answers every prompt, so that a picture is encoded once: the probabilities of one
  // prompt are those of its sentences, divided by their sum.
  async classify() {
    const list = await lens.classes(SENTENCES, { templates: ["{}"] });
    const answers = {};
    for (const path of PICTURES) {
      const { predictions } = await list.classify(await picture(path));
      const probability = Object.fromEntries(predictions.map((each) => [each.label, each.probability]));
      answers[path] = TEMPLATES.map((_, prompt) => {
        const own = SENTENCES.slice(prompt * NAMES.length, (prompt + 1) * NAMES.length).map((sentence) => probability[sentence]);
        const sum = own.reduce((total, each) => total + each, 0);
        return own.map((each) => each / sum);
      });
    }
    list.free();
    return answers;
  },
  async tune() {
    classes = await lens.classes(NAMES);
    const result = await classes.classify(await picture(TUNED.picture), TUNED.options);
    return { answer: inOrder(result), views: result.tuning.views, before: result.tuning.entropyBefore, after: result.tuning.entropyAfter };
  },
  async teach() {
    const examples = await Promise.all(LESSON.map(async ([path, label]) => ({ image: await picture(path), label })));
    const prompt = await classes.train(examples, LEARNING);
    const list = await lens.classes(NAMES, { prompt });
    const answer = inOrder(await list.classify(await picture(TUNED.picture)));
    list.free();
    return { losses: prompt.report.losses, failures: prompt.report.failures, bytes: prompt.toBlob().size, answer };
  },
  async calibrate() {
    const { threshold, n } = await classes.calibrate(await Promise.all(CALIBRATION.map(picture)));
    const { ood } = await classes.classify(await picture(TUNED.picture));
    return { threshold, n, used: ood.threshold };
  },
};

// The CPU has no kernels.
if (device === "webgpu") {
  checks.kernels = async () => {
    const cases = [];
    for (const kernel of KERNELS) {
      window.doing = kernel;
      cases.push(...(await lens.checkKernels({ kernel })));
    }
    return { cases: cases.length, failed: cases.filter(({ passed }) => !passed) };
  };
}

async function run() {
  const report = { agent: navigator.userAgent, webgpu: Boolean(navigator.gpu), seconds: {}, found: {} };
  for (const [name, check] of Object.entries(checks)) {
    window.doing = name;
    const began = performance.now();
    try {
      report.found[name] = await check();
    } catch ({ code, message }) {
      // The later checks need what the earlier ones made.
      return { ...report, failure: { check: name, code, message } };
    } finally {
      report.seconds[name] = Math.round(performance.now() - began) / 1000;
    }
  }
  lens.free();
  return report;
}

/** For people who run the checks by hand. */
async function show({ agent, seconds, found, failure }) {
  const { load, classify, tune, teach, calibrate, kernels } = found;
  const golden = await (await fetch(new URL("golden.json", import.meta.url))).json();
  const answered = calibrate && { answers: classify, tuned: tune.answer, taught: teach, threshold: calibrate.threshold };
  const summary = { agent, device: load?.device, seconds, differences: answered && differences(answered, golden), kernels, failure };
  document.body.append(Object.assign(document.createElement("pre"), { textContent: JSON.stringify(summary, null, 2) }));
}

window.report = await run();
await show(window.report);
