/*
 * What the bench command drives: starts subjects, each on a thread of its own, and runs one
 * operation at a time on one of them.
 */

/** Workers by subject name. */
const workers = new Map();

const SIDE = 224;
/** A fixed preprocessed image: waves of different length in each channel. */
const pixels = Float32Array.from({ length: 3 * SIDE * SIDE }, (_, i) => {
  const [c, y, x] = [Math.floor(i / SIDE / SIDE), Math.floor(i / SIDE) % SIDE, i % SIDE];
  return Math.sin((6 * (x * (3 + c) + y * (7 - c))) / SIDE);
});
/** "a photo of a cat." in CLIP's own vocabulary. */
const ids = [49406, 320, 1125, 539, 320, 2368, 269, 49407];

const listen = (worker) =>
  new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => (data.error ? reject(new Error(data.error)) : resolve(data));
    worker.onerror = (event) => reject(new Error(event.message));
  });

/* transformers.js names its own dependencies bare, which only a page's import map resolves. */
const transformers = {
  async load({ model, device }) {
    const library = await import("../transformers/transformers.web.js");
    const { env, CLIPVisionModelWithProjection, Tensor } = library;
    env.allowRemoteModels = false;
    env.allowLocalModels = true;
    env.useBrowserCache = false;
    env.localModelPath = new URL("../models/", location.href).href;
    env.backends.onnx.wasm.wasmPaths = new URL("../transformers/onnxruntime-web/", location.href).href;
    env.backends.onnx.wasm.numThreads = 1;
    this.Tensor = Tensor;
    this.model = await CLIPVisionModelWithProjection.from_pretrained(model, { device, dtype: "fp32" });
  },
  async image({ pixels: data }) {
    const output = await this.model({ pixel_values: new this.Tensor("float32", data, [1, 3, SIDE, SIDE]) });
    return output.image_embeds.data;
  },
};

window.bench = {
  /** Starts `script` as `name`. */
  async start(name, script) {
    if (script === "transformers") {
      workers.set(name, transformers);
      return;
    }
    const worker = new Worker(`./${script}.js`, { type: "module" });
    await listen(worker);
    workers.set(name, worker);
  },

  /** Runs an operation; `{ value, ms }`, with features as plain arrays. */
  async run(name, op, args = {}) {
    const subject = workers.get(name);
    const input = { image: { pixels }, text: { ids } }[op] ?? args;
    let answer;
    if (subject instanceof Worker) {
      const reply = listen(subject);
      subject.postMessage({ op, args: input });
      answer = await reply;
    } else {
      const began = performance.now();
      const value = await subject[op](input);
      answer = { value, ms: performance.now() - began };
    }
    if (ArrayBuffer.isView(answer.value)) answer.value = Array.from(answer.value);
    return answer;
  },

  stop(name) {
    const subject = workers.get(name);
    if (subject instanceof Worker) subject.terminate();
    workers.delete(name);
  },
};
