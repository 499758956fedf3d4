/** The memory that a model needs on this device, and the model that suits it. */

/** Weights in 8 bits have a 16-bit scale for every 32 values. */
const EIGHT_BITS = 1 + 2 / 32;
/** Working memory beside the weights: the largest tensor and what the engine itself takes. */
const BESIDE = 64e6;

/**
 * The bytes that a model of so many weights needs.
 *
 * @param {number} parameters
 * @param {boolean} gpu whether it answers on the GPU; a CPU computes with 32-bit floats
 */
export function needs(parameters, gpu) {
  const stored = parameters * EIGHT_BITS;
  // The hub has 32-bit floats.
  return { download: parameters * 4, stored, memory: BESIDE + stored + (gpu ? 0 : parameters * 4) };
}

/**
 * The id of the row that suits a device. A page knows little of its device, so there are three answers.
 *
 * @param {{mobile: boolean, gpu: boolean, gigabytes: number | undefined}} device `gigabytes` as
 *   `navigator.deviceMemory` says, at most 8
 */
export function suggested({ mobile, gpu, gigabytes }) {
  if (mobile || (gigabytes ?? 8) <= 2) return "tinyclip-8m-16";
  return gpu && (gigabytes ?? 8) >= 8 ? "datacomp-vit-b-32-256" : "tinyclip-40m-32";
}

/** This device, as far as a page knows it. */
export const thisDevice = (gpu) => ({
  mobile: navigator.userAgentData?.mobile ?? (matchMedia("(pointer: coarse)").matches && Math.min(screen.width, screen.height) < 700),
  gpu,
  gigabytes: navigator.deviceMemory,
});
