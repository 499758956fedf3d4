/*
 * Loaded before the real worker: its GPU device goes away for good half-way through the stages asked for, as when
 * a driver crashes. Only the loss is made here.
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
  if ("STAGE".split("|").includes(stage) && loaded > 0) device.destroy();
  post(message, ...rest);
};
