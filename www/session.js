import { Calls } from "./state/calls.js";
import { ClassList } from "./state/class_list.js";
import { Engine } from "./state/engine.js";
import { Honesty } from "./state/honesty.js";
import { NegativeLabels } from "./state/negatives.js";
import { PhotoWork } from "./state/photo_work.js";
import { Rejection } from "./state/rejection.js";
import { Sharing } from "./state/sharing.js";
import { Variants } from "./state/variants.js";

/** Time without an edit after which the names are used. */
const PAUSE_MS = 500;

/** @typedef {{model: string | File[], quantization?: string, device: string}} Settings */

/**
 * What the page holds and does, without a document: the model, the class names, the settings that change
 * an answer, and the queue of photos. Panels call its methods and listen to its events.
 *
 * Every photo is answered for the settings as they are. A change makes all photos wait again; they are
 * answered one after the other.
 *
 * | event             | loading | ready       | refused | stopped | gone    |
 * |-------------------|---------|-------------|---------|---------|---------|
 * | `load()`          | loading | loading     | loading | loading | loading |
 * | a model is there  | ready   | ready       | ready   | ready   | ready   |
 * | loading fails     | gone    |             |         |         |         |
 * | the engine ends   |         | gone        | gone    | gone    |         |
 * | names are edited  | loading | ready       | ready   | ready   | gone    |
 * | names are refused |         | refused     |         |         |         |
 * | other settings    | loading | ready       | refused | ready   | gone    |
 * | `stop()`          | loading | stopped (1) | refused | stopped | gone    |
 * | `go()`, `add()`   | loading | ready       | refused | ready   | gone    |
 * | no photo waits    | loading | ready       | refused | ready   | gone    |
 *
 * (1) If photos wait; else it stays ready. `refused`: the engine cannot use the names as they are. `gone`:
 * there is no engine, and `engineError` says why. Empty: this cannot happen. A `useModel()` that fails
 * changes nothing.
 *
 * Events, with their `detail`:
 * - `change`: photos, names, settings or the phase are others, and so is what panels show of them
 * - `phase`: it is another; `progress` (event of the package): a model is being loaded
 * - `model`: another model answers; `classes`: the class list is ready
 * - `settings`: those of a classifier file have taken the place of all that panels show
 * - `names` (names added at the end): the list is another; `names-problem` (error or `null`)
 * - `unknown`: `unknownNames` are others
 * - `added` (photos), `removed` (photo), `cleared`, `answered` (photo), `failed` (photo)
 */
export class Session extends EventTarget {
  /** @type {"loading" | "ready" | "refused" | "stopped" | "gone"} */
  phase = "loading";

  /** The class names, in order. @type {string[]} */
  names = [];
  /** The names that come with the model. @type {string[]} */
  offeredNames = [];
  /** Those with a word that the model never read. @type {string[]} */
  unknownNames = [];
  /** The sentence around each name. */
  template = "a photo of a {}.";
  /** More sentences, of a classifier file: their features are averaged. @type {string[]} */
  otherTemplates = [];
  /** The learned prompt that answers in place of the sentence. @type {import("./pkg/index.js").Prompt | null} */
  prompt = null;
  /** SHA-256 of its file, if the browser can compute one. @type {string | null} */
  promptSha256 = null;

  /** The options of `classify` about tuning. */
  tune = { tune: "none" };
  negatives = new NegativeLabels();
  variants = new Variants();
  /** Whether percentages say how often answers are right. */
  honesty = new Honesty(this);
  rejection = new Rejection(this.negatives, {
    photos: () => this.photos,
    fit: (files, how) => this.#engine.guarded(() => this.#list.classes.calibrate(files, { ...this.options, ...how })),
    changed: () => this.#work.changed(),
  });
  /** How the photos are sorted, for links. */
  order = "newest";

  #engine;
  #list = new ClassList(this.negatives);
  #work;
  #pauseMs;
  #pause = 0;

  /**
   * @param {object} given
   * @param {typeof import("./pkg/index.js").PromptLens.load} given.load
   * @param {Settings} given.settings
   * @param {string} [given.hub] the address that models of the hub are loaded from
   * @param {number} [given.pauseMs]
   * @param {import("./state/memory.js").PhotoMemory} [given.memory] what was computed for photos before
   */
  constructor({ load, settings, hub, pauseMs = PAUSE_MS, memory }) {
    super();
    this.settings = settings;
    this.#engine = new Engine(load, hub, () => this.#end());
    const tell = (type, detail) => this.#tell(type, detail);
    this.#work = new PhotoWork(this, { engine: this.#engine, list: this.#list, memory }, { enter: (phase) => this.#enter(phase), tell });
    /** Calls beside the answers. */
    this.calls = new Calls(this.#engine, (signal) => this.#snapshot(signal), this.negatives, this.#list);
    this.sharing = new Sharing(this, this.#engine, { invalidate: () => this.#invalidate(), adopt: () => this.#adopt(), tell });
    this.#pauseMs = pauseMs;
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  #enter(phase) {
    if (this.phase === phase) return;
    this.phase = phase;
    this.#tell("phase");
  }

  // The model.

  /** Whether there is a model to ask. */
  get usable() {
    return this.#engine.lens !== null;
  }

  /** What the engine last said about itself. @type {import("./pkg/index.js").Info | null} */
  get info() {
    return this.#engine.info;
  }

  /** What the engine can learn by. @type {import("./pkg/index.js").Recipe[]} */
  get recipes() {
    return this.#engine.recipes;
  }

  /** Why there is no engine. @type {Error | null} */
  get engineError() {
    return this.#engine.error;
  }

  /** Loads the model of the settings; `prepare()` then answers with it. */
  async load(device = this.settings.device) {
    const { model, quantization } = Object.assign(this.settings, { device });
    const begun = this.#engine.begin({ model, quantization, device, onProgress: (event) => this.#tell("progress", event) });
    this.#enter("loading");
    this.#invalidate();
    if (await begun) this.#adopt();
    else if (this.engineError) this.#end();
  }

  /**
   * Loads another model, which takes over once it is ready, for links and for another attempt too.
   *
   * @param {{model: any, address: string | null, quantization?: string}} choice `address`: in links; `null`: none
   * @param {{signal: AbortSignal, onProgress: (event: any) => void}} how
   */
  async useModel({ model, address, quantization }, how) {
    await this.#engine.exchange({ model, quantization, device: this.settings.device, ...how }, () => this.#invalidate());
    Object.assign(this.settings, { model: address ?? model, quantization });
    this.#adopt();
    void this.prepare();
  }

  #adopt() {
    // A prompt belongs to one model.
    if (this.prompt && this.prompt.modelSha256 !== this.info.modelSha256) this.prompt = null;
    this.#enter("ready");
    this.#tell("model");
  }

  /** There is no engine any more. */
  #end() {
    this.#list.classes = null;
    this.#enter("gone");
    this.#work.changed();
  }

  // The names, and the sentence or the prompt around them.

  /** Sets the names that the page begins with; `offered` are those of the model. */
  setNames(names, offered) {
    Object.assign(this, { offeredNames: offered, names: [...names] });
    this.#tell("names", []);
  }

  /** Takes an edit of the names, which is used once the user pauses. */
  editNames(names) {
    this.names = [...names];
    this.#tell("names", []);
    this.#edited();
  }

  /** Adds the names that are not there yet, as an edit. */
  addNames(names) {
    const added = [...new Set(names)].filter((name) => !this.names.includes(name));
    if (added.length === 0) return;
    this.names = [...this.names, ...added];
    this.#tell("names", added);
    this.#edited();
  }

  editTemplate(template) {
    Object.assign(this, { template, otherTemplates: [] });
    this.#edited();
  }

  #edited() {
    clearTimeout(this.#pause);
    // An edit while the model is loaded may be part of the first list already.
    this.#pause = setTimeout(() => this.prepared || void this.prepare(), this.#pauseMs);
    this.honesty.check({ edited: true });
    this.#invalidate();
  }

  /** Answers with a learned prompt, or with the sentence again. */
  usePrompt(prompt, sha256 = null) {
    Object.assign(this, { prompt, promptSha256: sha256 });
    void this.prepare();
  }

  /** The model, the names and the options of their class list, as they are. */
  #snapshot(signal) {
    return [this.#engine.now(), [...this.names], { templates: [this.template, ...this.otherTemplates], signal }];
  }

  /** Computes the class list as it is now, then answers every photo anew. */
  async prepare() {
    this.honesty.check();
    this.#invalidate();
    const { signal } = this.#work;
    if (!this.usable) return;
    try {
      await this.#engine.guarded(() => this.#makeList(signal));
    } catch (error) {
      if (signal.aborted) return;
      if (this.usable) this.#enter("refused");
      this.#tell("names-problem", error);
      this.#work.changed();
      return;
    }
    await this.#work.answer();
  }

  async #makeList(signal) {
    const [lens, names, options] = this.#snapshot(signal);
    const { score, calibration } = this.rejection;
    await this.#list.make(lens, names, { ...options, prompt: this.prompt ?? undefined, ...this.honesty.option }, { score, calibration });
    this.#tell("names-problem", null);
    this.#tell("classes");
    this.unknownNames = await lens.unknownNames(names);
    signal.throwIfAborted();
    this.#tell("unknown");
  }

  /** Whether there is a class list for the names as they are. */
  get prepared() {
    return this.#list.classes !== null;
  }

  // The settings of an answer.

  /** The options of `classify` without those of one photo. */
  get options() {
    return { ...this.tune, ...this.rejection.options };
  }

  setTune(tune) {
    if (JSON.stringify(tune) === JSON.stringify(this.tune)) return;
    this.tune = tune;
    // The class list answers at the temperature that it was made with.
    if (this.honesty.check()) void this.prepare();
    else this.useOptions();
  }

  setScore(score) {
    Object.assign(this.rejection, { score, threshold: null });
    this.useOptions();
  }

  /** Answers every photo anew, for the same names. */
  useOptions() {
    const unmade = !this.prepared && this.phase !== "refused";
    if (unmade || this.#list.lacksEdits(this.rejection.score)) return void this.prepare();
    this.#work.reopen();
    if (this.prepared) void this.#work.answer();
  }

  /** Finds the negative labels in use; see `ClassList`. */
  findNegatives(how) {
    return this.#engine.guarded(() => this.#list.findNegatives(how));
  }

  // The photos; see `PhotoWork`.

  /** Every photo, in the order of adding. */
  get photos() {
    return this.#work.photos;
  }

  /** Their files. */
  get files() {
    return [...this.photos].map(({ file }) => file);
  }

  /** Whether photos are being answered. */
  get working() {
    return this.#work.working;
  }

  /** How many photos have an answer or an error. */
  get settled() {
    return this.#work.settled;
  }

  /** @param {File[]} files */
  add(files) {
    this.#work.add(files);
  }

  /** @param {import("./state/photo.js").Photo} photo */
  remove(photo) {
    this.#work.remove(photo);
  }

  clear() {
    this.#work.clear();
  }

  /** Works on the photos that wait. */
  go() {
    this.#work.go();
  }

  /** Leaves the photos that wait as they are. */
  stop() {
    this.#work.stop();
  }

  /** Where the names are on a photo. */
  explain(photo, method) {
    return this.#work.explain(photo, method);
  }

  /** What was computed is for other names. */
  #invalidate() {
    this.#list.free();
    if (this.phase === "refused") this.#enter("ready");
    this.#work.reopen();
  }
}
