/*
 * Counts the bytes of this worker's GPU buffers. Import it before anything that opens a device.
 *
 * A buffer that nobody destroys is released when its JavaScript object is collected, so `held` goes
 * down late: `settle()` collects first, where the browser was started with --js-flags=--expose-gc.
 */
let held = 0;
let peak = 0;
let created = 0;

const collected = new FinalizationRegistry((bytes) => {
  held -= bytes;
});

const { createBuffer } = GPUDevice.prototype;
GPUDevice.prototype.createBuffer = function (descriptor) {
  const buffer = createBuffer.call(this, descriptor);
  created += 1;
  held += descriptor.size;
  peak = Math.max(peak, held);
  collected.register(buffer, descriptor.size, buffer);
  return buffer;
};

const { destroy } = GPUBuffer.prototype;
GPUBuffer.prototype.destroy = function () {
  if (collected.unregister(this)) held -= this.size;
  destroy.call(this);
};

/** Bytes of live buffers, the most there ever were at once, and how many were ever made. */
export const gpuBuffers = () => ({ held, peak, created });

/** Lets go of what is no longer reachable. */
export async function settle() {
  for (let i = 0; i < 4; i += 1) {
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
