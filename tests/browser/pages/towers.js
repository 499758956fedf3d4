/*
 * A worker that puts ready-made pixels and token ids into the engine. The public package has no
 * such door: it takes files and words.
 */
import init, { Engine } from "../pkg/promptlens.js";
import { probeGpu } from "../pkg/probe.js";
import { withSource } from "../pkg/source/source.js";

self.onmessage = async ({ data: { model, device, quantization, pixels, tokens } }) => {
  try {
    await init();
    const options = { device, quantization, probe: await probeGpu() };
    const place = new URL(model, self.location.href).href;
    const engine = await withSource(place, { store: false }, { progress() {} }, (source) => Engine.load(source, options, () => {}));
    const images = await engine.embedPixels(new Float32Array(pixels));
    const texts = await engine.embedTokens(tokens.map((ids) => new Uint32Array(ids)));
    self.postMessage({ images: [...images], texts: [...texts], info: engine.info() });
  } catch (error) {
    self.postMessage({ error: `${error?.code ?? ""} ${error?.message ?? error}` });
  }
};
