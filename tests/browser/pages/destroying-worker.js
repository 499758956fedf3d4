/*
 * Loaded before the real worker: its GPU device is destroyed right after the submission `at` of the operation `op`,
 * as when a driver crashes. Both are in the query. What was submitted before is asked for later, and never comes.
 */
const asked = new URL(import.meta.url).searchParams;

let device = null;
const { requestDevice } = GPUAdapter.prototype;
GPUAdapter.prototype.requestDevice = async function (...args) {
  return (device = await requestDevice.apply(this, args));
};

let submissions = 0;
let running = null;
self.addEventListener("message", ({ data }) => {
  running = data.op ?? running;
  submissions = 0;
});

const { submit } = GPUQueue.prototype;
GPUQueue.prototype.submit = function (commands) {
  submit.call(this, commands);
  submissions += 1;
  if (running === asked.get("op") && submissions === Number(asked.get("at"))) device.destroy();
};
