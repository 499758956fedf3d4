/*
 * The engine without the package around it: ready-made pixels and token ids, and GPU buffers that
 * are counted.
 */
import { gpuBuffers, settle } from "./account.js";
import { answer, photo } from "./worker.js";
import init, { Engine } from "../pkg/promptlens.js";
import { withSource } from "../pkg/source/source.js";
import { probeGpu } from "../pkg/probe.js";

let engine;
let memory;
let classes;
let image;

const usage = () => ({ gpu: gpuBuffers(), wasm: memory.buffer.byteLength });

/** Classifies the photo `times` times and says what was held after every tenth. */
async function soak(times) {
  const points = [];
  for (let i = 0; i < times; i += 1) {
    await engine.classify(classes, image, {}, () => {});
    if (i === 0 || (i + 1) % (times / 10) === 0) {
      await settle();
      points.push({ images: i + 1, ...usage() });
    }
  }
  return points;
}

answer({
  async load({ model, device, quantization }) {
    const stages = {};
    let [stage, since] = ["engine", performance.now()];
    const enter = (next) => {
      if (next === stage) return;
      const now = performance.now();
      stages[stage] = (stages[stage] ?? 0) + now - since;
      [stage, since] = [next, now];
    };
    ({ memory } = await init());
    enter("adapter");
    const probe = device === "cpu" ? undefined : await probeGpu();
    // Nothing is kept, so that every run loads over the network.
    const how = { progress: (event) => enter(event.stage) };
    const place = new URL(model, self.location.href).href.replace(/\/?$/, "/");
    engine = await withSource(place, { store: false }, how, (source) =>
      Engine.load(source, { device, quantization, probe }, how.progress),
    );
    enter("end");
    const peak = gpuBuffers().peak;
    await settle();
    return { stages, info: engine.info(), memory: { peak, ...usage() } };
  },
  image: ({ pixels }) => engine.embedPixels(pixels),
  text: ({ ids }) => engine.embedTokens([new Uint32Array(ids)]),
  async classes({ labels }) {
    if (classes !== undefined) engine.freeClasses(classes);
    classes = await engine.classes(labels, {});
  },
  async classify({ options }) {
    image ??= await photo();
    return engine.classify(classes, image, options ?? {}, () => {});
  },
  async soak({ times }) {
    image ??= await photo();
    return soak(times);
  },
  async usage() {
    await settle();
    return usage();
  },
});
