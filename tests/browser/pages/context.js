/*
 * A worker that lets the engine learn a context on ready-made image features. The public package has
 * no such door: it takes photos.
 */
import init, { Engine } from "../pkg/promptlens.js";
import { withSource } from "../pkg/source/source.js";
import { probeGpu } from "../pkg/probe.js";

self.onmessage = async ({ data: { model, device, names, start, features, labels, descent } }) => {
  try {
    await init();
    const options = { device, quantization: "none", probe: await probeGpu() };
    const place = new URL(model, self.location.href).href;
    const engine = await withSource(place, { store: false }, { progress() {} }, (source) => Engine.load(source, options, () => {}));
    const given = [new Float32Array(start), new Float32Array(features), new Uint32Array(labels)];
    const found = await engine.descendContext(names, ...given, descent);
    self.postMessage({ ...found, info: engine.info() });
  } catch (error) {
    self.postMessage({ error: `${error?.code ?? ""} ${error?.message ?? error}` });
  }
};
