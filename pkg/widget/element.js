import { PromptLensError, errorBody } from "../error.js";
import { ATTRIBUTES, PropertyElement } from "./properties.js";
import { Camera } from "./camera.js";
import { begin } from "./engine.js";
import { list } from "./lists.js";
import { View } from "./view.js";
import { words } from "./words.js";

/** Changes of these need another engine; of these, other text features; of the rest, another answer. */
const ENGINE = new Set(["src", "model", "device"]);
const CLASSES = new Set(["labels", "template"]);

/**
 * `<prompt-lens>`: choose a photo, see which names fit.
 *
 * @fires progress while the model loads
 * @fires ready when it answers
 * @fires result with each answer
 * @fires answer with each answer for a frame of the camera, if it is live
 * @fires error with a `PromptLensError`
 */
export class PromptLensElement extends PropertyElement {
  static observedAttributes = ATTRIBUTES;

  /** @type {View} */
  #view;
  /** @type {Camera} */
  #camera;
  /**
   * The engine, while the element is on the page, and the classifier of `src`, if it has one.
   *
   * @type {{stop: AbortController, lens: Promise<import("../index.js").PromptLens>, file: Promise<import("../index.js").Classifier> | null} | null}
   */
  #engine = null;
  /** @type {Promise<import("../index.js").Classes> | null} */
  #classes = null;
  /** The last call, whose answer is shown. */
  #last = null;
  /** Stops the answer that the user asked for. @type {AbortController | null} */
  #choice = null;
  #photo = null;
  #result = null;
  #changed = new Set();
  /** Ends the answers for the camera's picture. @type {AbortController | null} */
  #live = null;
  /** A camera that nobody looks at is off. */
  #unseen = () => document.hidden && this.#close();

  constructor() {
    super();
    this.#view = new View(this.attachShadow({ mode: "open" }), {
      files: ([file]) => file && this.#choose(file),
      camera: () => this.#quietly(this.#open()),
      shoot: () => this.#quietly(this.#shoot()),
      close: () => this.#close(),
      retry: () => {
        this.#end();
        this.#begin();
      },
    });
    this.#camera = new Camera(this.#view.video);
  }

  connectedCallback() {
    this.#adopt();
    this.#speak();
    document.addEventListener("visibilitychange", this.#unseen);
    if (!this.#engine) this.#begin();
    // Attributes changed while it was not on the page.
    else if (this.#changed.size > 0) this.#apply();
  }

  disconnectedCallback() {
    document.removeEventListener("visibilitychange", this.#unseen);
    this.#close();
    // An element that is moved is removed and inserted again; only one that stays out has ended.
    setTimeout(() => {
      if (this.isConnected) return;
      this.#end();
      this.#view.clear();
      this.#photo = null;
      this.#result = null;
    });
  }

  /** Moved by `moveBefore()`: nothing has to end. */
  connectedMoveCallback() {}

  attributeChangedCallback(name, before, after) {
    if (before === after) return;
    if (["lang", "camera", "live"].includes(name)) {
      if (this.isConnected) this.#speak();
      return;
    }
    // An engine that begins later reads all attributes.
    if (!this.#engine) return;
    // Several attributes are often set one after the other.
    if (this.#changed.size === 0) queueMicrotask(() => this.#apply());
    this.#changed.add(name);
  }

  /** The loaded model, for everything the widget has no button for; rejects if loading failed. */
  get ready() {
    return this.#engine?.lens ?? Promise.reject(new PromptLensError("engine/freed", "The widget is not on a page."));
  }

  /** The last answer, or `null`. */
  get result() {
    return this.#result;
  }

  /**
   * Shows a photo and its answer.
   *
   * @param {Blob} blob
   * @param {import("../index.js").ClassifyOptions} [options] go before what the attributes say
   * @returns {Promise<import("../index.js").Result>}
   */
  async classify(blob, options = {}) {
    const call = {};
    this.#last = call;
    try {
      if (!(blob instanceof Blob)) throw new PromptLensError("options/invalid", "The photo must be a Blob or a File.");
      this.#photo = blob;
      this.#view.working(blob);
      const result = await this.#answer(blob, options);
      this.#result = result;
      if (this.#last === call) this.#view.show(result);
      this.#tell("result", { ...result, blob });
      return result;
    } catch (thrown) {
      const error = asError(thrown);
      if (error.code !== "engine/cancelled" && error.code !== "engine/freed") {
        if (this.#last === call) this.#view.fail(error, error.code === "engine/internal");
        this.#tell("error", error);
      }
      throw error;
    }
  }

  /** The answer of the classifier file, with the settings that are attributes; or of the attributes alone. */
  async #answer(blob, options) {
    const { classifier, asked } = await this.#classifier();
    return classifier.classify(blob, { ...asked, ...options });
  }

  /** What answers, and the settings that are attributes. */
  async #classifier() {
    const asked = { tune: this.tune, ood: this.ood, heatmap: this.heatmap };
    const { file } = this.#engine ?? {};
    if (!file) return { classifier: await this.#names(), asked };
    for (const name of ["tune", "ood"]) if (!this.hasAttribute(name)) delete asked[name];
    return { classifier: await file, asked };
  }

  /** Answers the camera's picture until it is switched off. */
  async #follow() {
    const { signal } = (this.#live = new AbortController());
    this.#last = null;
    this.#view.working(null);
    try {
      const { classifier, asked } = await this.#classifier();
      if (signal.aborted) return;
      for await (const answer of classifier.live(this.#view.video, { ...asked, heatmap: false, signal })) {
        this.#result = answer;
        this.#view.showLive(answer);
        this.#tell("answer", answer);
      }
    } catch (thrown) {
      if (signal.aborted) return;
      const error = asError(thrown);
      this.#view.fail(error, error.code === "engine/internal");
      this.#tell("error", error);
    }
  }

  /** Classifies what the user chose, instead of what was chosen before. */
  #choose(blob) {
    this.#choice?.abort();
    this.#choice = new AbortController();
    this.#quietly(this.classify(blob, { signal: this.#choice.signal }));
  }

  /** Loads the model, until the element leaves the page. */
  #begin() {
    const stop = new AbortController();
    const onProgress = (event) => {
      if (stop.signal.aborted) return;
      this.#view.loading(event);
      this.#tell("progress", event);
    };
    this.#view.fail(null);
    this.#view.loading({});
    this.#view.reserve(this.labels.length);
    const { lens, file } = begin({ src: this.src, own: this.getAttribute("model"), model: this.model, device: this.device, onProgress, signal: stop.signal });
    this.#engine = { stop, lens, file };
    file?.then(
      ({ classes }) => this.#view.reserve(classes.labels.length),
      () => {},
    );
    lens.then(
      (loaded) => {
        if (stop.signal.aborted) return;
        this.#view.loading(null);
        this.#tell("ready", { info: loaded.info });
      },
      (error) => {
        if (stop.signal.aborted) return;
        this.#view.loading(null);
        this.#view.fail(error, true);
        this.#tell("error", error);
      },
    );
  }

  /** Ends the worker, and with it everything on the GPU. */
  #end() {
    const engine = this.#engine;
    this.#engine = null;
    this.#classes = null;
    this.#changed = new Set();
    engine?.stop.abort();
    engine?.lens.then(
      (lens) => lens.free(),
      () => {},
    );
  }

  /** The class list as the attributes have it, computed once. */
  #names() {
    if (!this.#classes) {
      const made = this.ready.then((lens) => lens.classes(this.labels, { templates: list(this.template) }));
      // A list that failed is made again for the next answer.
      made.catch(() => {
        if (this.#classes === made) this.#classes = null;
      });
      this.#classes = made;
    }
    return this.#classes;
  }

  /** Takes over properties that a page set before this class was there. */
  #adopt() {
    for (const name of ATTRIBUTES) {
      if (!Object.hasOwn(this, name)) continue;
      const value = this[name];
      delete this[name];
      this[name] = value;
    }
  }

  #apply() {
    if (!this.isConnected || this.#changed.size === 0) return;
    const changed = this.#changed;
    this.#changed = new Set();
    const touches = (some) => [...changed].some((name) => some.has(name));
    if (touches(ENGINE)) {
      this.#end();
      this.#begin();
    } else if (touches(CLASSES)) {
      this.#classes?.then(
        (classes) => classes.free(),
        () => {},
      );
      this.#classes = null;
      this.#view.reserve(this.labels.length);
    }
    if (this.#photo) this.#choose(this.#photo);
  }

  #speak() {
    this.#view.speak(words(this.getAttribute("lang") ?? this.closest("[lang]")?.lang ?? ""));
    this.#view.open.hidden = !this.#filmable || !this.#view.video.hidden;
  }

  get #filmable() {
    return (this.camera || this.live) && Camera.possible;
  }

  async #open() {
    let on;
    try {
      on = await this.#camera.start();
    } catch (error) {
      this.#view.fail(error);
      this.#tell("error", error);
      return;
    }
    // The element may have left while the user was asked.
    if (!on) return;
    this.#filming(true);
    if (this.live) void this.#follow();
  }

  async #shoot() {
    const photo = await this.#camera.photo();
    this.#close();
    this.#choose(photo);
  }

  #close() {
    this.#live?.abort();
    this.#live = null;
    this.#camera.stop();
    this.#filming(false);
  }

  #filming(is) {
    const { video, drop, open, shoot, close } = this.#view;
    video.hidden = !is;
    drop.hidden = is;
    shoot.hidden = !is;
    close.hidden = !is;
    open.hidden = is || !this.#filmable;
    if (is) shoot.focus();
  }

  /** For work that a button began: its error is told by an event, and nobody waits for the promise. */
  #quietly(promise) {
    promise.catch(() => {});
  }

  #tell(type, detail) {
    // Like errors of images and scripts, it does not bubble: it is not the page's error.
    const up = type !== "error";
    this.dispatchEvent(new CustomEvent(type, { detail, bubbles: up, composed: up }));
  }
}

function asError(thrown) {
  if (thrown instanceof PromptLensError) return thrown;
  const { code, message } = errorBody(thrown);
  return new PromptLensError(code, message);
}

/**
 * Makes the element known to the page, once.
 *
 * @param {string} [name]
 */
export function register(name = "prompt-lens") {
  if (!globalThis.customElements || customElements.get(name)) return;
  // A class can have one name only; another name gets its own class.
  const taken = customElements.getName?.(PromptLensElement);
  customElements.define(name, taken ? class extends PromptLensElement {} : PromptLensElement);
}
