/* onnxruntime-web on the same towers. `device` is webgpu, or wasm with one thread. */
import { answer } from "./worker.js";

let ort;
const sessions = {};

answer({
  async load({ model, form, device }) {
    const build = device === "webgpu" ? "ort.webgpu.min.mjs" : "ort.wasm.min.mjs";
    ort = await import(`../onnxruntime-web/${build}`);
    ort.env.wasm.wasmPaths = new URL("../onnxruntime-web/", self.location.href).href;
    ort.env.wasm.numThreads = 1;
    ort.env.logLevel = "error";
    for (const tower of ["vision", "text"]) {
      const url = `${model}onnx/${tower}_model${form}.onnx`;
      sessions[tower] = await ort.InferenceSession.create(url, {
        executionProviders: [device],
        graphOptimizationLevel: "all",
      });
    }
  },
  async image({ pixels }) {
    const side = Math.sqrt(pixels.length / 3);
    const input = new ort.Tensor("float32", pixels, [1, 3, side, side]);
    const { image_embeds: output } = await sessions.vision.run({ pixel_values: input });
    return new Float32Array(await output.getData());
  },
  async text({ ids }) {
    const input = new ort.Tensor("int64", BigInt64Array.from(ids, BigInt), [1, ids.length]);
    const { text_embeds: output } = await sessions.text.run({ input_ids: input });
    return new Float32Array(await output.getData());
  },
});
