/* What every bench worker does: answers `{ op, args }` with `{ value, ms }` or `{ error }`. */

/** @param {Record<string, (args: any) => any>} operations */
export function answer(operations) {
  self.onmessage = async ({ data: { op, args } }) => {
    try {
      const began = performance.now();
      const value = await operations[op](args ?? {});
      self.postMessage({ value, ms: performance.now() - began });
    } catch (error) {
      self.postMessage({ error: `${error?.code ?? ""} ${error?.message ?? error}`.trim() });
    }
  };
  self.postMessage({ ready: true });
}

/** The bytes of a JPEG of 1024 x 768 with edges, gradients and texture: the same on every run. */
export async function photo() {
  const canvas = new OffscreenCanvas(1024, 768);
  const context = canvas.getContext("2d");
  const sky = context.createLinearGradient(0, 0, 1024, 768);
  sky.addColorStop(0, "#27496d");
  sky.addColorStop(1, "#e8b04a");
  context.fillStyle = sky;
  context.fillRect(0, 0, 1024, 768);
  for (let i = 0; i < 4000; i += 1) {
    context.fillStyle = `hsl(${(i * 47) % 360} 60% ${20 + ((i * 13) % 60)}%)`;
    context.fillRect((i * 7919) % 1024, (i * 104729) % 768, 3 + (i % 29), 2 + (i % 17));
  }
  const blob = await canvas.convertToBlob({ type: "image/jpeg", quality: 0.9 });
  return new Uint8Array(await blob.arrayBuffer());
}
