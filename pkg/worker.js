/*
 * The engine's own thread. Nothing here computes: it takes numbered requests, runs them one after
 * the other on the WebAssembly engine, and answers each. When the engine traps, its memory can no
 * longer be trusted: the worker says so once and answers nothing more.
 */
import init, { Engine, plainView } from "./promptlens.js";
import { bytesOf, MAX_ARCHIVE_BYTES } from "./bytes.js";
import { watchDevices } from "./device_loss.js";
import { errorBody, PromptLensError } from "./error.js";
import { modelInput, readPreprocessing } from "./preprocessing.js";
import { probeGpu } from "./probe.js";
import { withSource } from "./source/source.js";

/** Milliseconds that a call may still take once the GPU device is lost. */
const LAST_WORDS = 5000;

/** @type {Engine | null} */
let engine = null;
let dead = false;
/** Why the GPU device is gone. @type {string | null} */
let lost = null;
/** @type {{id: number, op: string, args: any, abort: AbortController}[]} waiting, oldest first */
const queue = [];
/** @type {(typeof queue)[number] | null} */
let running = null;

const operations = {
  async load({ model, options, code }, { signal, progress }) {
    const [probe, compiled] = await Promise.all([
      options.device === "cpu" ? undefined : probeGpu(),
      code ?? WebAssembly.compileStreaming(engineCode(progress, signal)),
    ]);
    if (code) progress({ stage: "engine", loaded: 1, total: 1, source: "cache" });
    else self.postMessage({ code: compiled });
    await init({ module_or_path: compiled });
    // Storage options are not passed on: the engine rejects unknown ones.
    const { store, hub, patience, ...own } = options;
    engine = await withSource(model, { ...own, store, hub, patience }, { signal, progress }, (source) =>
      Engine.load(source, { ...own, probe, shapes: model.shapes }, progress, signal),
    );
  },
  classes: async ({ labels, options, prompt }, { signal }) =>
    prompt
      ? engine.classesWithPrompt(labels, options, new Uint8Array(await prompt.arrayBuffer()), signal)
      : engine.classes(labels, options, signal),
  recipes: () => Engine.recipes(),
  train: ({ classes, images, labels, options }, { signal, progress }) =>
    engine.train(classes, images, new Uint32Array(labels), options, progress, signal),
  classify: async ({ classes, image, options, pictures }, { signal, progress }) =>
    engine.classify(classes, await bytesOf(image), options, progress, signal, pictures),
  preprocessing: () => engine.preprocessing(),
  classifyViews: ({ classes, views, options }, { signal }) => engine.classifyViews(classes, views, options, signal),
  tuneFeatures: ({ classes, features, context, options }, { signal, progress }) =>
    engine.tuneFeatures(classes, features, context, options, progress, signal),
  calibrate: ({ classes, images, options }, { signal, progress }) =>
    engine.calibrate(classes, images, options, progress, signal),
  calibrateScores: ({ classes, scores, options }, { signal }) =>
    engine.calibrateScores(classes, new Float64Array(scores), options, signal),
  useCalibration: ({ classes, file }) => engine.useCalibration(classes, file),
  mineNegatives: ({ classes, options }, { signal, progress }) =>
    engine.mineNegatives(classes, options, progress, signal),
  pseudoLabel: ({ classes, images, options }, { signal, progress }) =>
    engine.pseudoLabel(classes, images, options, progress, signal),
  unpack: async ({ archive, name }) => Engine.unpack(name, await bytesOf(archive, MAX_ARCHIVE_BYTES)),
  parseLabels: async ({ file, name }) => Engine.parseLabels(name, await bytesOf(file)),
  parseTypedLabels: ({ text }) => Engine.parseTypedLabels(text),
  classFolders: ({ paths }) => Engine.classFolders(paths),
  assess: ({ probabilities, labels, classes }) => Engine.assess(probabilities, labels, classes),
  confusedPairs: ({ probabilities, names, top, limit, texts }) => Engine.confusedPairs(probabilities, names, top, limit, texts),
  embedImage: async ({ image, normalize }) => (normalize ? engine.embedImage(await bytesOf(image)) : rawFeature(await bytesOf(image))),
  embedPixels: ({ pixels }) => engine.embedPixels(pixels),
  embedText: ({ texts }) => engine.embedText(texts),
  unknownNames: ({ names }) => engine.unknownNames(names),
  checkKernels: ({ kernel, seed }, { signal, progress }) => engine.checkKernels(kernel, seed, progress, signal),
  freeClasses: ({ classes }) => engine.freeClasses(classes),
};

/** Answered while another call runs, which may take minutes: they need only their arguments. */
const AT_ONCE = new Set(["parseLabels", "parseTypedLabels", "classFolders", "assess", "confusedPairs"]);

self.addEventListener("message", ({ data }) => {
  if (dead) return;
  if (AT_ONCE.has(data.op)) {
    void answer({ ...data, abort: new AbortController() });
  } else if (data.abort === undefined) {
    queue.push({ ...data, abort: new AbortController() });
    pump();
  } else if (running?.id === data.abort) {
    running.abort.abort();
  } else {
    const index = queue.findIndex((request) => request.id === data.abort);
    if (index >= 0) {
      const [{ id }] = queue.splice(index, 1);
      self.postMessage({ id, error: { code: "engine/cancelled", message: "The caller stopped this call." } });
    }
  }
});

// A trap in one of the engine's own tasks rejects no call's promise; it is reported to one of these.
self.addEventListener("error", (event) => {
  event.preventDefault();
  die(event.error ?? event.message);
});
self.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  die(event.reason);
});

self.postMessage({ hello: true });

watchDevices((message) => {
  // While a model is loaded, a device that is given up for the CPU is no loss.
  if (engine?.info().device.kind !== "webgpu") return;
  lost = message || "no reason was given";
  if (running) endLater(running);
});

async function pump() {
  if (running) return;
  while (!dead && (running = queue.shift() ?? null)) {
    if (lost !== null) endLater(running);
    await answer(running);
  }
}

/** Ends a call whose GPU device is lost, unless it ends by itself. */
function endLater(call) {
  setTimeout(() => {
    if (running === call) end(`The GPU device was lost (${lost}). Load the model again.`, "gpu/lost");
  }, LAST_WORDS);
}

async function answer({ id, op, args, abort }) {
  const progress = (event) => self.postMessage({ id, progress: event });
  try {
    const value = await operations[op](args, { signal: abort.signal, progress });
    if (!dead) self.postMessage({ id, value, info: engine?.info() });
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError) die(error);
    else if (!dead) self.postMessage({ id, error: errorBody(error), info: engine?.info() });
  }
}

/** The feature of an image file as the image tower gives it. */
async function rawFeature(bytes) {
  const json = engine.preprocessing();
  const { pixels } = await plainView(bytes, json);
  return engine.embedPixels(modelInput(pixels, readPreprocessing(json)));
}

function die(reason) {
  end(`The engine stopped: ${errorBody(reason).message}. Load it again.`, "engine/internal");
}

function end(sentence, code) {
  if (dead) return;
  dead = true;
  queue.length = 0;
  self.postMessage({ fatal: { code, message: sentence } });
}

/** The engine's WebAssembly as a response that reports its bytes while the browser compiles them. */
async function engineCode(progress, signal) {
  const url = new URL("./promptlens_bg.wasm", import.meta.url);
  let response;
  try {
    response = await fetch(url, { signal, credentials: "same-origin" });
  } catch (error) {
    throw new PromptLensError("network/failed", `${url.href} could not be fetched: ${error.message}`);
  }
  if (!response.ok) {
    throw new PromptLensError("network/failed", `${url.href} answered ${response.status}.`);
  }
  // The length of an encoded body counts encoded bytes; here the decoded ones are read.
  const length = response.headers.has("content-encoding") ? 0 : Number(response.headers.get("content-length"));
  const total = length > 0 ? length : null;
  let loaded = 0;
  const counted = response.body.pipeThrough(
    new TransformStream({
      transform(chunk, controller) {
        loaded += chunk.byteLength;
        progress({ stage: "engine", loaded, total, source: "network" });
        controller.enqueue(chunk);
      },
      flush() {
        const timing = performance.getEntriesByName(url.href, "resource").at(-1);
        const cached = timing?.transferSize === 0 && timing.decodedBodySize > 0;
        progress({ stage: "engine", loaded, total: loaded, source: cached ? "cache" : "network" });
      },
    }),
  );
  return new Response(counted, { headers: { "content-type": "application/wasm" } });
}
