/* Before the real worker: its GPU buffers are counted, and whoever asks on this channel is told. */
import { gpuBuffers } from "./account.js";

const channel = new BroadcastChannel("gpu-buffers");
channel.addEventListener("message", ({ data }) => data === "how many" && channel.postMessage(gpuBuffers()));
