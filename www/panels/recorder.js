import { frameOf } from "../pkg/frame.js";
import { Camera } from "../pkg/widget/camera.js";
import { announce } from "../ui/announce.js";
import { cameraProblem } from "../ui/camera_problem.js";
import { setMessage, t } from "../ui/i18n.js";
import { Panel } from "./panel.js";

/** Time from one example to the next, in milliseconds. */
const PERIOD = 200;
/** Photos of one class beyond which the camera takes no more. */
const MOST = 100;
/** Pixels of an example's shorter side. */
const SIDE = 480;
const KEYS = [" ", "Enter"];

/**
 * The camera beside the classes: while a class's button is held down, by a pointer or a key, frames become
 * photos of that class.
 */
export class RecorderPanel extends Panel {
  #video = this.find("record-video");
  #camera = new Camera(this.#video);
  #preview = this.find("record");
  #button = this.find("record-open");
  #state = this.find("record-state");
  #problem = this.find("record-error");
  #classes;
  /** Whether there is a picture, once that is known. @type {Promise<boolean>} */
  #opened = Promise.resolve(false);
  /** What is held. @type {{label: string, button: HTMLElement, taken: number} | null} */
  #held = null;

  /**
   * @param {HTMLElement} root
   * @param {import("../session.js").Session} session
   * @param {object} classes
   * @param {HTMLElement} classes.list holds the buttons
   * @param {(button: Element) => string} classes.labelOf
   * @param {(label: string) => number} classes.countOf photos of a class
   * @param {(label: string, photo: File) => void} classes.take
   */
  constructor(root, session, classes) {
    super(root, session);
    this.#classes = classes;
    const { list } = classes;
    root.toggleAttribute("data-camera", Camera.possible);
    this.#button.addEventListener("click", () => void this.#open());
    this.find("record-close").addEventListener("click", () => {
      this.close();
      this.#button.focus();
    });
    const buttonOf = ({ target }) => target.closest(".class-record");
    list.addEventListener("pointerdown", (event) => {
      const button = buttonOf(event);
      if (!button || event.button !== 0) return;
      // The pointer may slip off the button while it is held.
      button.setPointerCapture(event.pointerId);
      void this.#hold(button);
    });
    for (const type of ["pointerup", "pointercancel", "lostpointercapture", "focusout"]) list.addEventListener(type, (event) => buttonOf(event) && this.#release());
    list.addEventListener("contextmenu", (event) => buttonOf(event) && event.preventDefault());
    list.addEventListener("keydown", (event) => {
      const button = buttonOf(event);
      if (!button || !KEYS.includes(event.key)) return;
      event.preventDefault();
      if (!event.repeat) void this.#hold(button);
    });
    list.addEventListener("keyup", (event) => {
      if (!buttonOf(event) || !KEYS.includes(event.key)) return;
      event.preventDefault();
      this.#release();
    });
    list.addEventListener("click", (event) => {
      const button = buttonOf(event);
      // Without a pointer or a key it comes from a program that reads the page aloud or listens to the user.
      if (!button || event.detail !== 0) return;
      if (this.#held) this.#release();
      else void this.#hold(button);
    });
    // A camera that nobody looks at is off.
    document.addEventListener("visibilitychange", () => document.hidden && this.close());
    new IntersectionObserver(([{ target }]) => target.checkVisibility() || this.close()).observe(root);
  }

  /** Switches the camera off. */
  close() {
    this.#release();
    this.#camera.stop();
    this.#preview.hidden = true;
    this.#button.hidden = false;
  }

  /** @returns {Promise<boolean>} whether there is a picture */
  #open() {
    // A button may be pressed again while the browser asks for the camera.
    if (this.#preview.hidden) this.#opened = this.#begin();
    return this.#opened;
  }

  async #begin() {
    this.#problem.hidden = true;
    this.#preview.hidden = false;
    this.#button.hidden = true;
    setMessage(this.#state, "record.opening");
    try {
      if (!(await this.#camera.start())) return false;
      setMessage(this.#state, "record.ready");
      return true;
    } catch ({ cause }) {
      this.close();
      this.#problem.textContent = cameraProblem(cause);
      this.#problem.hidden = false;
      return false;
    }
  }

  async #hold(button) {
    this.#release();
    const held = { label: this.#classes.labelOf(button), button, taken: 0 };
    this.#held = held;
    button.toggleAttribute("data-held", true);
    if (!(await this.#open())) return this.#held === held && this.#release();
    while (this.#held === held) {
      if (this.#classes.countOf(held.label) >= MOST) {
        this.#release("record.most");
        return;
      }
      await this.#record(held);
      await new Promise((passed) => setTimeout(passed, PERIOD));
    }
  }

  async #record(held) {
    const frame = await frameOf(this.#video, SIDE).catch(() => null);
    // What comes after the release is not of this class any more.
    if (!frame || this.#held !== held) return;
    held.taken += 1;
    this.#classes.take(held.label, new File([frame], t("camera.file"), { type: frame.type }));
    setMessage(this.#state, "record.count", { count: held.taken, label: held.label });
  }

  #release(said = "record.count") {
    const held = this.#held;
    if (!held) return;
    this.#held = null;
    held.button.toggleAttribute("data-held", false);
    if (held.taken === 0 && said !== "record.most") return;
    const count = said === "record.most" ? MOST : held.taken;
    setMessage(this.#state, said, { count, label: held.label });
    announce(t(said, { count, label: held.label }));
  }
}
