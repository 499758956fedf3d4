import { Camera } from "../pkg/widget/camera.js";
import { t } from "../ui/i18n.js";
import { Panel } from "./panel.js";

/** Why there is no picture, by the name of the browser's error, whose own sentence is in its own language. */
const REASONS = { NotAllowedError: "camera.denied", NotFoundError: "camera.missing", NotReadableError: "camera.busy" };

/** The dialog that takes a photo with the camera. */
export class CameraPanel extends Panel {
  #camera = new Camera(this.find("camera-video"));
  #shoot = this.find("camera-shoot");
  #problem = this.find("camera-error");

  /**
   * @param {HTMLDialogElement} dialog
   * @param {import("../session.js").Session} session
   * @param {HTMLElement} button opens it
   */
  constructor(dialog, session, button) {
    super(dialog, session);
    button.hidden = !Camera.possible;
    button.addEventListener("click", () => void this.#open());
    this.#shoot.addEventListener("click", () => void this.#take());
    this.find("camera-close").addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => this.#camera.stop());
    // A camera that nobody looks at is off.
    document.addEventListener("visibilitychange", () => {
      if (document.hidden && dialog.open) dialog.close();
    });
  }

  async #open() {
    this.#problem.hidden = true;
    this.#shoot.disabled = true;
    this.root.showModal();
    try {
      // The user may close the dialog while the browser asks.
      if (!(await this.#camera.start())) return;
      this.#shoot.disabled = false;
      this.#shoot.focus();
    } catch ({ cause }) {
      this.#problem.textContent = t("camera.failed", { reason: REASONS[cause.name] ? t(REASONS[cause.name]) : cause.message });
      this.#problem.hidden = false;
    }
  }

  async #take() {
    const photo = await this.#camera.photo().catch(() => null);
    this.root.close();
    if (photo) this.session.add([new File([photo], t("camera.file"), { type: photo.type })]);
  }
}
