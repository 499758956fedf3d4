/*
 * A thread that decodes photos and scales them to a model's input. It has the engine's code and no
 * model. It answers one request after the other: `{id, image}` with `{id, view}` or `{id, error}`.
 */
import init, { plainView } from "./promptlens.js";
import { bytesOf } from "./bytes.js";
import { errorBody } from "./error.js";

let ready;
let preprocessing = "";

self.addEventListener("message", async ({ data }) => {
  if (data.code) {
    preprocessing = data.preprocessing;
    ready = init({ module_or_path: data.code });
    return;
  }
  try {
    await ready;
    const view = await plainView(await bytesOf(data.image), preprocessing);
    self.postMessage({ id: data.id, view }, [view.pixels.buffer]);
  } catch (error) {
    // After a trap the memory can no longer be trusted; whoever started this worker ends it.
    const fatal = error instanceof WebAssembly.RuntimeError;
    self.postMessage({ id: data.id, error: errorBody(error), fatal });
  }
});

self.postMessage({ hello: true });
