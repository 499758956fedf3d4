import { PromptLensError } from "../error.js";

/** A camera's picture in a `<video>`; stopped, the camera's light goes out. */
export class Camera {
  /** @type {MediaStream | null} */
  #stream = null;
  #video;

  /** @param {HTMLVideoElement} video */
  constructor(video) {
    this.#video = video;
  }

  /** Whether this browser has cameras to ask for. */
  static get possible() {
    return Boolean(globalThis.navigator?.mediaDevices?.getUserMedia);
  }

  /**
   * Asks for the camera, the one behind a phone's screen first.
   *
   * @throws {PromptLensError} `camera/unavailable`
   */
  async start() {
    this.stop();
    try {
      this.#stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" }, audio: false });
    } catch (error) {
      throw new PromptLensError("camera/unavailable", `The camera cannot be used: ${error.message}. Choose a photo instead.`);
    }
    this.#video.srcObject = this.#stream;
    await this.#video.play();
  }

  /** What the camera sees, as a JPEG file. */
  async photo() {
    const canvas = document.createElement("canvas");
    canvas.width = this.#video.videoWidth;
    canvas.height = this.#video.videoHeight;
    canvas.getContext("2d").drawImage(this.#video, 0, 0);
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
    if (!blob) throw new PromptLensError("camera/unavailable", "The camera has no picture yet. Try again.");
    return new File([blob], "camera.jpg", { type: blob.type });
  }

  /** Switches the camera off. */
  stop() {
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#stream = null;
    this.#video.srcObject = null;
  }
}
