/* Before the real worker: whoever asks on this channel is told what the engine holds. */
import { gpuBuffers, settle } from "./account.js";

let memory = null;
const { instantiate, instantiateStreaming } = WebAssembly;
const noted = async (made) => {
  const found = await made;
  memory = (found.instance ?? found).exports.memory ?? memory;
  return found;
};
WebAssembly.instantiate = (...given) => noted(instantiate.apply(WebAssembly, given));
WebAssembly.instantiateStreaming = (...given) => noted(instantiateStreaming.apply(WebAssembly, given));

const channel = new BroadcastChannel("soak");
channel.addEventListener("message", async ({ data }) => {
  if (data !== "what is held") return;
  await settle();
  channel.postMessage({ engine: memory?.buffer.byteLength ?? null, gpu: gpuBuffers().held });
});
