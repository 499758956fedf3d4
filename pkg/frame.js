import { PromptLensError } from "./error.js";

/**
 * What a video shows now, as a JPEG file.
 *
 * @param {HTMLVideoElement} video
 * @param {number} [most] pixels of the shorter side: a larger picture is made smaller
 * @returns {Promise<Blob>}
 * @throws {PromptLensError} `camera/unavailable`: there is no picture yet
 */
export async function frameOf(video, most = Infinity) {
  const { videoWidth, videoHeight } = video;
  const scale = Math.min(1, most / Math.min(videoWidth, videoHeight));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(videoWidth * scale) || 0;
  canvas.height = Math.round(videoHeight * scale) || 0;
  canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
  if (!blob) throw new PromptLensError("camera/unavailable", "The camera has no picture yet. Try again.");
  return blob;
}
