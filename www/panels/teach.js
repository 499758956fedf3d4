import { Prompt } from "../pkg/index.js";
import { sha256Of } from "../pkg/source/sha256.js";
import { announce } from "../ui/announce.js";
import { compared, pairsIn, reportOf } from "../ui/learned.js";
import { Curve } from "../ui/curve.js";
import { download } from "../ui/download.js";
import { onLanguage, setMessage, setText, t } from "../ui/i18n.js";
import { showProblem } from "../ui/problem.js";
import { stageText } from "../ui/stages.js";
import { LessonPanel } from "./lesson.js";
import { PairsPanel, problem } from "./pairs.js";
import { Panel } from "./panel.js";
import { RecipesPanel } from "./recipes.js";

/** The most photos on the page that are answered before and after. */
const MOST_COMPARED = 24;
/** Stages of learning that count, and what is said of them. */
const COUNTED_STAGES = { photos: "teach.looking", validate: "teach.checking", gather: "teach.sorting" };

/** Photos of each class in, a prompt out, which then answers for the whole page. */
export class TeachPanel extends Panel {
  #state = this.#part("state");
  #epochs = this.#part("epochs");
  #start = this.#part("start");
  #working = this.#part("run");
  #stage = this.#part("stage");
  #progress = this.#part("progress");
  #problem = this.#part("error");
  #result = this.#part("result");
  #report = this.#part("report");
  #use = this.#part("use");
  #lesson;
  #pairs;
  #recipes;
  #offerModel;
  #kept;
  /** The newest prompt. @type {Prompt | null} */
  #prompt = null;
  /** SHA-256 of its file. @type {string | null} */
  #sha256 = null;
  /** The learning or sorting that is going on. @type {AbortController | null} */
  #job = null;
  /** Settled once the last one is over. */
  #running = Promise.resolve();
  /** Shows the report again, in another language. */
  #describe = () => {};

  /**
   * @param {HTMLElement} root
   * @param {import("../session.js").Session} session
   * @param {object} page
   * @param {() => void} page.chooseScore chooses the score LAPT
   * @param {(sha256: string, what: "prompt", ready: () => void) => void} page.offerModel offers the model of
   *   that hash, if the page has it
   * @param {import("../state/kept.js").KeptWork} page.kept
   * @param {() => void} page.open shows the place that this panel is in
   */
  constructor(root, session, { chooseScore, offerModel, kept, open }) {
    super(root, session);
    this.#kept = kept;
    this.#offerModel = offerModel;
    this.#lesson = new LessonPanel(root, session, (images) => this.#sort(images));
    const photos = () => this.#lesson.examples.map(({ image }) => image);
    this.#pairs = new PairsPanel(this.find("pairs"), session, { photos, learn: (texts) => this.#learnPairs(texts), open });
    this.#recipes = new RecipesPanel(root, session, {
      having: () => this.#having,
      changed: () => this.#render(),
      elsewhere: { pairs: () => this.#pairs.focus() },
    });
    this.#pairs.events.addEventListener("change", () => this.#render());
    this.#lesson.events.addEventListener("begin", () => showProblem(this.#problem, null));
    this.#lesson.events.addEventListener("problem", ({ detail }) => showProblem(this.#problem, detail));
    this.#lesson.events.addEventListener("change", () => this.#render());
    this.#start.addEventListener("click", () => {
      if (this.#start.getAttribute("aria-disabled") !== "true") void this.#learn();
    });
    this.#part("cancel").addEventListener("click", () => this.#job?.abort());
    this.#use.addEventListener("click", () => this.#toggle());
    this.#part("discard").addEventListener("click", () => this.#discard());
    this.#part("save").addEventListener("click", () => download(`promptlens-${this.#prompt.recipe}.safetensors`, this.#prompt.toBlob()));
    this.#part("score").addEventListener("click", () => {
      chooseScore();
      announce(t("teach.scored"));
    });
    const importer = this.#part("import");
    importer.addEventListener("change", () => {
      const [file] = importer.files;
      importer.value = "";
      if (file) void this.#open(file);
    });
    this.on("change", () => this.#render());
    onLanguage(() => {
      this.#describe();
      this.#render();
    });
    this.#render();
  }

  #part(name) {
    return this.find(`teach-${name}`);
  }

  /** Whether the newest prompt answers. */
  get #inUse() {
    return this.#prompt !== null && this.session.prompt === this.#prompt;
  }

  /** Whether the prompt in use brings words for none of the classes, which only the score LAPT reads. */
  get #unscored() {
    const { prompt, rejection, recipes } = this.session;
    return this.#inUse && rejection.score !== "lapt" && recipes.some(({ name, others }) => others && name === prompt.recipe);
  }

  /** What there is to learn from. @returns {import("../state/suggestions.js").Having} */
  get #having() {
    const { names, photos, rejection } = this.session;
    const rejects = rejection.calibration !== null || rejection.threshold !== null;
    return { names: names.length, fewest: this.#lesson.fewest, photos: photos.size, pairs: this.#pairs.count, rejects };
  }

  /** Runs something long after what runs already; resolves to `null` if it fails or is stopped. */
  #work(task, stopped, fail = (error) => showProblem(this.#problem, error)) {
    return (this.#running = this.#running.then(() => this.#perform(task, stopped, fail)));
  }

  async #perform(task, stopped, fail) {
    this.#job = new AbortController();
    const { signal } = this.#job;
    showProblem(this.#problem, null);
    setMessage(this.#stage, "teach.wait");
    this.#progress.removeAttribute("value");
    this.#render();
    this.#part("cancel").focus();
    try {
      return await task(signal);
    } catch (error) {
      if (signal.aborted) announce(t(stopped));
      else fail(error);
      return null;
    } finally {
      const focused = this.#working.contains(document.activeElement);
      this.#job = null;
      // What was learned before stays at hand.
      this.#result.hidden = this.#prompt === null;
      this.#render();
      if (focused) (this.#result.hidden || signal.aborted ? this.#start : this.#use).focus();
    }
  }

  #sort(images) {
    const onProgress = (event) => this.#showStage(event);
    return this.#work((signal) => this.session.calls.pseudoLabel(images, { signal, onProgress }), "teach.sorting-stopped");
  }

  async #learn() {
    const { otherPhotos: others, examples } = this.#lesson;
    const { recipe, set } = this.#recipes.chosen;
    const how = { ...set, recipe: recipe.name, validation: this.#part("check").value, others };
    if (!this.#part("unlabelled").hidden) how.unlabelled = this.session.files;
    if (!this.#part("epochs-field").hidden && this.#epochs.value !== "") how.epochs = this.#epochs.valueAsNumber;
    await this.#train(examples, how);
  }

  /** Learns from texts about pairs of classes, and measures on the photos; resolves to what is wrong with the texts. */
  async #learnPairs(descriptions) {
    let wrong = null;
    const fail = (error) => (wrong = error);
    const how = { recipe: "fudd", descriptions, validation: this.#part("check").value, others: [] };
    await this.#train(this.#lesson.examples, how, fail);
    return wrong;
  }

  async #train(examples, how, fail) {
    const curve = new Curve(this.#part("curve"));
    const onProgress = (event) => {
      if (event.loss !== undefined) curve.add(event);
      this.#showStage(event);
    };
    this.#result.hidden = true;
    const learn = async (signal) => {
      const made = await this.session.calls.train(examples, { ...how, signal, onProgress });
      if (pairsIn(made) === 0) throw problem("data/empty", "pairs.none-filled");
      curve.draw();
      setMessage(this.#stage, "teach.comparing");
      const comparison = await this.#compare(made, signal);
      const unread = made.report.failures.filter(({ index }) => index >= examples.length).length;
      await this.#show(made, comparison, how.others.length - unread);
      announce(this.#report.textContent);
      return made;
    };
    const learned = await this.#work(learn, "teach.stopped", fail);
    // The curve of what was not kept says nothing about the prompt that is still at hand.
    if (learned === null) curve.remove();
  }

  #compare(prompt, signal) {
    return this.session.calls.compare(this.session.files.slice(0, MOST_COMPARED), prompt, { signal });
  }

  /** Reads a prompt file, whose names join the list. */
  async #open(file) {
    showProblem(this.#problem, null);
    let read;
    try {
      read = await Prompt.from(file);
      const comparison = await this.#compare(read);
      this.session.addNames(read.labels);
      await this.#show(read, comparison);
      announce(this.#report.textContent);
    } catch (error) {
      showProblem(this.#problem, error);
      if (error.code === "prompt/wrong-model") this.#offerModel(read.modelSha256, "prompt", () => void this.#open(file));
    }
    this.#render();
  }

  async #show(made, comparison, others = 0) {
    const inUse = this.#inUse;
    const blob = made.toBlob();
    // A page without HTTPS has no such function.
    const sha256 = globalThis.crypto?.subtle ? await sha256Of(await blob.arrayBuffer()) : null;
    this.#hold(made, sha256, comparison, others);
    void this.#kept.keepPrompt(made, sha256);
    if (inUse) this.session.usePrompt(made, sha256);
  }

  /** The prompt at hand, and the SHA-256 of its file. */
  get held() {
    return { prompt: this.#prompt, sha256: this.#sha256 };
  }

  /** Takes a prompt that was kept, which answers if it did before. */
  take(prompt, sha256, used) {
    this.#hold(prompt, sha256, [], 0);
    if (used) this.session.usePrompt(prompt, sha256);
    this.#render();
  }

  /** The prompt is at hand now, with what it changes in the answers for photos. */
  #hold(made, sha256, comparison, others) {
    [this.#prompt, this.#sha256] = [made, sha256];
    this.#describe = () => {
      setText(this.#report, reportOf(made, others));
      const table = this.#part("table");
      table.replaceChildren(...comparison.map(compared));
      table.closest(".compared").hidden = comparison.length === 0;
    };
    this.#describe();
    this.#result.hidden = false;
  }

  #toggle() {
    const use = !this.#inUse;
    this.session.usePrompt(use ? this.#prompt : null, use ? this.#sha256 : null);
    this.#render();
    announce(this.#state.textContent);
  }

  #discard() {
    this.drop();
    void this.#kept.dropPrompt();
    this.#start.focus();
  }

  /** The newest prompt is not at hand any more. */
  drop() {
    const inUse = this.#inUse;
    this.#prompt = null;
    this.#result.hidden = true;
    this.#part("curve").hidden = true;
    if (inUse) this.session.usePrompt(null);
    this.#render();
  }

  #showStage({ stage, loaded, total, loss }) {
    const counted = { done: Math.min(loaded + 1, total), total };
    if (loss !== undefined) setMessage(this.#stage, "teach.step", { done: loaded, total });
    else if (COUNTED_STAGES[stage]) setMessage(this.#stage, COUNTED_STAGES[stage], counted);
    else if (["vocabulary", "mining", "negatives"].includes(stage)) setText(this.#stage, stageText({ stage, loaded, total }));
    else return;
    this.#progress.max = total;
    this.#progress.value = loaded;
  }

  #render() {
    this.#recipes.render();
    const { recipe: chosen } = this.#recipes.chosen;
    const { usable, photos } = this.session;
    this.#part("epochs-field").hidden = !chosen?.parameters.some(({ name }) => name === "epochs");
    this.#lesson.show(chosen?.others ?? false);
    this.#pairs.render();
    const unlabelled = chosen?.needs === "unlabelled";
    this.#part("unlabelled").hidden = !unlabelled;
    const enough = this.#lesson.hasPhotos || (unlabelled && photos.size > 0);
    const needed = chosen?.needs === "images" || unlabelled;
    this.#start.setAttribute("aria-disabled", String(!usable || !chosen || this.#job !== null || (needed && !enough)));
    this.#start.hidden = this.#job !== null;
    this.#working.hidden = this.#job === null;
    this.#part("save").disabled = this.#part("discard").disabled = this.#prompt === null;
    const inUse = this.#inUse;
    setMessage(this.#use, inUse ? "teach.unuse" : "teach.use");
    this.#use.setAttribute("aria-pressed", String(inUse));
    if (inUse) setMessage(this.#state, "teach.state-used", { recipe: this.#prompt.recipe });
    else setMessage(this.#state, this.#prompt ? "teach.state-ready" : "teach.state-none");
    this.#part("scoring").hidden = !this.#unscored;
    this.root.toggleAttribute("data-on", inUse);
  }
}
