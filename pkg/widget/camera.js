import { PromptLensError } from "../error.js";
import { frameOf } from "../frame.js";

/** A camera's picture in a `<video>`; stopped, the camera's light goes out. */
export class Camera {
  /** @type {MediaStream | null} */
  #stream = null;
  #video;
  /** Stands for the newest `start()`, until it is stopped. @type {object | null} */
  #start = null;

  /** @param {HTMLVideoElement} video */
  constructor(video) {
    this.#video = video;
  }

  /** Whether this browser has cameras to ask for. */
  static get possible() {
    return Boolean(globalThis.navigator?.mediaDevices?.getUserMedia);
  }

  /**
   * Asks for the camera, the one behind a phone's screen first, and shows its picture.
   *
   * @returns {Promise<boolean>} false: it was stopped while the browser asked the user
   * @throws {PromptLensError} `camera/unavailable`, whose `cause` is the browser's error
   */
  async start() {
    this.stop();
    const start = {};
    this.#start = start;
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" }, audio: false });
      if (this.#start !== start) {
        switchOff(stream);
        return false;
      }
      this.#stream = stream;
      this.#video.srcObject = stream;
      await this.#video.play();
      return this.#start === start;
    } catch (error) {
      if (this.#start !== start) return false;
      this.stop();
      const why = `The camera cannot be used: ${error.message}. Choose a photo instead.`;
      throw Object.assign(new PromptLensError("camera/unavailable", why), { cause: error });
    }
  }

  /** What the camera sees, as a JPEG file. */
  async photo() {
    const blob = await frameOf(this.#video);
    return new File([blob], "camera.jpg", { type: blob.type });
  }

  /** Switches the camera off. */
  stop() {
    this.#start = null;
    if (this.#stream) switchOff(this.#stream);
    this.#stream = null;
    this.#video.srcObject = null;
  }
}

function switchOff(stream) {
  for (const track of stream.getTracks()) track.stop();
}
