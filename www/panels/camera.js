import { Camera } from "../pkg/widget/camera.js";
import { cameraProblem } from "../ui/camera_problem.js";
import { setMessage, t } from "../ui/i18n.js";
import { LiveAnswerView } from "../ui/live.js";
import { showProblem } from "../ui/problem.js";
import { Panel } from "./panel.js";

/** The dialog that takes a photo with the camera, or answers its picture as it changes. */
export class CameraPanel extends Panel {
  #camera = new Camera(this.find("camera-video"));
  #shoot = this.find("camera-shoot");
  #problem = this.find("camera-error");
  #toggle = this.find("camera-live");
  #view = new LiveAnswerView(this.find("live"));
  /** Ends the live answers. @type {AbortController | null} */
  #live = null;

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
    this.#toggle.addEventListener("click", () => (this.#live ? this.#rest() : void this.#answer()));
    this.find("camera-close").addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => {
      this.#rest();
      this.#camera.stop();
    });
    // A camera that nobody looks at is off.
    document.addEventListener("visibilitychange", () => {
      if (document.hidden && dialog.open) dialog.close();
    });
  }

  async #open() {
    this.#problem.hidden = true;
    this.#shoot.disabled = this.#toggle.disabled = true;
    this.root.showModal();
    try {
      // The user may close the dialog while the browser asks.
      if (!(await this.#camera.start())) return;
      this.#shoot.disabled = this.#toggle.disabled = false;
      this.#shoot.focus();
    } catch ({ cause }) {
      this.#problem.replaceChildren(cameraProblem(cause));
      this.#problem.hidden = false;
    }
  }

  async #take() {
    const photo = await this.#camera.photo().catch(() => null);
    this.root.close();
    if (photo) this.session.add([new File([photo], t("camera.file"), { type: photo.type })]);
  }

  async #answer() {
    const live = new AbortController();
    this.#live = live;
    this.#problem.hidden = true;
    this.#view.begin();
    this.#paintToggle();
    const { signal } = live;
    const onAnswer = (answer) => this.#view.show(answer);
    try {
      await this.session.calls.live(this.find("camera-video"), { signal, session: this.session, onAnswer });
    } catch (error) {
      if (signal.aborted) return;
      this.#problem.replaceChildren(document.createElement("span"), " ", document.createElement("code"));
      showProblem(this.#problem, error);
    }
    if (this.#live === live) this.#rest();
  }

  /** No answers any more; the camera stays on. */
  #rest() {
    this.#live?.abort();
    this.#live = null;
    this.#view.end();
    this.#paintToggle();
  }

  #paintToggle() {
    this.#toggle.setAttribute("aria-pressed", String(this.#live !== null));
    setMessage(this.#toggle, this.#live ? "live.stop" : "live.start");
  }
}
