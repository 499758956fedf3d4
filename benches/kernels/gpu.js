/* The least of WebGPU that timing one kernel takes. */
import { expand } from "./expand.js";

const { STORAGE, UNIFORM, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
const adapter = await navigator.gpu.requestAdapter();
const { maxStorageBufferBindingSize, maxBufferSize } = adapter.limits;
const device = await adapter.requestDevice({ requiredLimits: { maxStorageBufferBindingSize, maxBufferSize } });
device.addEventListener("uncapturederror", ({ error }) => console.error(error.message));

const empty = (words) => device.createBuffer({ size: Math.max(16, words * 4), usage: STORAGE | COPY_DST | COPY_SRC });
function filled(data) {
  const buffer = empty(data.byteLength / 4);
  device.queue.writeBuffer(buffer, 0, data);
  return buffer;
}
function uniform(words) {
  const data = new Uint32Array(Math.ceil(words.length / 4) * 4);
  data.set(words);
  const buffer = device.createBuffer({ size: data.byteLength, usage: UNIFORM | COPY_DST });
  device.queue.writeBuffer(buffer, 0, data);
  return buffer;
}
async function read(buffer) {
  const copy = device.createBuffer({ size: buffer.size, usage: MAP_READ | COPY_DST });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(buffer, 0, copy, 0, buffer.size);
  device.queue.submit([encoder.finish()]);
  await copy.mapAsync(GPUMapMode.READ);
  const bytes = copy.getMappedRange().slice(0);
  copy.destroy();
  return bytes;
}

let shared;
let sources;

/** A launch: pipeline, bindings, workgroups; and what compiling it took. */
async function kernel(name, constants, buffers, groups) {
  const code = expand(sources[name], { ...constants, PARAMS: constants.PARAMS ?? buffers.length - 1 }, shared);
  const began = performance.now();
  const pipeline = await device.createComputePipelineAsync({
    layout: "auto",
    compute: { module: device.createShaderModule({ code }), entryPoint: "main" },
  });
  const compiled = performance.now() - began;
  const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
  return { pipeline, groups, compiled, bind: device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }) };
}

async function run(launches) {
  const began = performance.now();
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  for (const { pipeline, bind, groups } of launches) {
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, bind);
    pass.dispatchWorkgroups(...groups);
  }
  pass.end();
  device.queue.submit([encoder.finish()]);
  await device.queue.onSubmittedWorkDone();
  return performance.now() - began;
}

window.kit = {
  empty, filled, uniform, read, kernel, run,
  texts: (common, all) => {
    shared = common;
    sources = all;
  },
  spread(items, each) {
    const groups = Math.max(1, Math.ceil(items / each));
    const x = Math.min(groups, 32768);
    return [x, Math.ceil(groups / x), 1];
  },
  best: (times) => ({ least: Math.min(...times).toFixed(2), median: times.sort((a, b) => a - b)[times.length >> 1].toFixed(2) }),
};
