/**
 * Calls `lost` when a GPU device is lost that this thread opens from now on. The engine sees a loss by the
 * work that the browser refuses; but in some browsers a copy that was asked for before never comes, and a
 * call that waits for it would wait forever.
 *
 * @param {(message: string) => void} lost
 */
export function watchDevices(lost) {
  const adapter = globalThis.GPUAdapter?.prototype;
  if (!adapter) return;
  const { requestDevice } = adapter;
  adapter.requestDevice = async function (...options) {
    const device = await requestDevice.apply(this, options);
    void device.lost.then(({ message }) => lost(message));
    return device;
  };
}
