/*
 * Stands where pkg/worker.js stands: the real worker, whose GPU device goes away for good at the
 * stage that the worker's name asks for, as when a driver crashes. Only the loss is made here.
 */
const { requestDevice } = GPUAdapter.prototype;
let device = null;
GPUAdapter.prototype.requestDevice = async function (...args) {
  return (device = await requestDevice.apply(this, args));
};

const post = self.postMessage.bind(self);
self.postMessage = (message, ...rest) => {
  const { stage, loaded } = message.progress ?? {};
  // Not at the first step: half-way means that something of this stage was computed.
  if (stage === "LOSE_AT" && loaded > 0) device.destroy();
  post(message, ...rest);
};

// Messages wait until a module worker has run to its end, this import included.
await import("./real-worker.js");
