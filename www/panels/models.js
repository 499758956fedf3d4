import { PromptLens } from "../pkg/index.js";
import { announce } from "../ui/announce.js";
import { megabytes } from "../ui/format.js";
import { known, onLanguage, setMessage, t } from "../ui/i18n.js";
import { LOCAL } from "../ui/local.js";
import { addressOf, entries, FILES, hubName, linkOf, modelAt, thatSuits } from "../ui/modellist.js";
import { modelCard } from "../ui/modelcard.js";
import { showProblem } from "../ui/problem.js";
import { childrenOf } from "../ui/folders.js";
import { Panel } from "./panel.js";

/** Which model answers, what each one is, and what this browser keeps of them. */
export class ModelsPanel extends Panel {
  #list = this.find("models-list");
  #form = this.find("models-own");
  #chooser = this.find("models-folder");
  #precision = this.find("models-form");
  #run = this.find("models-run");
  #stage = this.find("models-stage");
  #bar = this.find("models-progress");
  #problem = this.find("models-error");
  #template = document.getElementById("model-template");
  /** The address of the model that answers, as `stored()` gives it. */
  #current = "";
  /** Stops the loading that is going on. @type {AbortController | null} */
  #loading = null;

  constructor(root, session) {
    super(root, session);
    this.#arrange();
    root.addEventListener("toggle", () => this.#update());
    onLanguage(() => {
      this.#arrange();
      this.#update();
    });
    this.on("model", () => {
      this.#current = addressOf(session.settings.model);
      setMessage(this.find("models-state"), "models.state", { model: session.info.model, form: session.info.quantization });
      this.#update();
    });
    this.find("models-cancel").addEventListener("click", () => this.#loading?.abort());
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#useAddress(this.find("models-address").value.trim());
    });
    this.#chooser.addEventListener("change", () => {
      const files = [...this.#chooser.files];
      this.#chooser.value = "";
      if (files.length > 0) void this.#use(files, FILES, files[0].webkitRelativePath.split("/")[0]);
    });
    root.addEventListener("dragover", (event) => event.preventDefault());
    root.addEventListener("drop", (event) => void this.#takeDrop(event));
  }

  /** Whether the model that answers does so on the GPU; the next one will too. */
  get #onGpu() {
    return this.session.info?.device.kind === "webgpu";
  }

  /** In Chinese, own addresses and files come first: most readers of Chinese cannot reach the hub. */
  #arrange() {
    const own = [this.#form, this.#chooser.closest("p")];
    if (document.documentElement.lang.startsWith("zh")) this.#list.before(...own);
    else this.#list.after(...own);
  }

  #update() {
    if (this.root.open) void this.#render();
  }

  async #render() {
    const stored = await PromptLens.models.stored().catch(() => []);
    // Asked for last: the list may be rendered twice at a time, and what has the focus is made anew.
    const focused = document.activeElement?.dataset.model;
    this.#list.replaceChildren(...entries(stored, this.#onGpu).map((entry) => this.#row(entry)));
    const unfinished = stored.filter(({ complete }) => !complete);
    if (unfinished.length > 0) this.#list.append(this.#leftover(unfinished));
    if (focused) this.#button(focused)?.focus();
    const room = this.find("models-room");
    const { used, quota, kind } = await PromptLens.models.usage().catch(() => ({ kind: null }));
    if (kind === null) setMessage(room, "models.no-store");
    else setMessage(room, "models.room", { used: () => megabytes(used ?? 0), quota: () => megabytes(quota ?? 0) });
  }

  /** The button that has the model of an address answer. */
  #button(address) {
    return this.#list.querySelector(`[data-model="${CSS.escape(address)}"]`);
  }

  #row({ model, address, name, note, local, kept }) {
    const item = this.#template.content.firstElementChild.cloneNode(true);
    const loaded = address === this.#current;
    item.toggleAttribute("data-current", loaded);
    item.querySelector("bdi").textContent = name;
    item.querySelector(".model-note").textContent = note;
    item.querySelector(".model-kept").textContent = kept.map(keptText).join("\n");
    if (local || model.sources) item.append(modelCard(name, local ?? model));
    const use = item.querySelector(".model-use");
    use.dataset.model = address;
    setMessage(use, loaded ? "models.in-use" : "models.use");
    use.setAttribute("aria-label", `${use.textContent}: ${name}`);
    use.setAttribute("aria-pressed", String(loaded));
    use.addEventListener("click", () => void this.#use(model, address, name));
    this.#offerDeletion(item, kept, name);
    return item;
  }

  #leftover(unfinished) {
    const item = this.#template.content.firstElementChild.cloneNode(true);
    const name = t("models.unfinished");
    item.querySelector("bdi").textContent = name;
    item.querySelector(".model-note").textContent = megabytes(unfinished.reduce((sum, { bytes }) => sum + bytes, 0));
    item.querySelector(".model-use").hidden = true;
    this.#offerDeletion(item, unfinished, name);
    return item;
  }

  #offerDeletion(item, kept, name) {
    const remove = item.querySelector(".model-delete");
    remove.hidden = kept.length === 0;
    remove.setAttribute("aria-label", t("models.delete-one", { name }));
    remove.addEventListener("click", () => void this.#delete(kept, name));
  }

  async #delete(kept, name) {
    showProblem(this.#problem, null);
    try {
      // What the hub said of a model is deleted too, or it would say for ever what was loaded here.
      for (const { id } of kept) await PromptLens.models.delete(id, { forget: true });
      announce(t("models.deleted", { name }));
    } catch (error) {
      showProblem(this.#problem, error);
    }
    await this.#render();
    this.root.querySelector("summary").focus();
  }

  #showProgress({ stage, loaded, total, source, bytesPerSecond, secondsLeft, reason }) {
    if (stage === "store") {
      announce(t(`models.not-kept-${reason}`));
      return;
    }
    const parts = [known(`status.${stage}`) ? t(`status.${stage}`) : stage];
    if (loaded > 1024) parts.push(total ? t("models.bytes-of", { loaded: megabytes(loaded), total: megabytes(total) }) : megabytes(loaded));
    if (stage === "weights") parts.push(t(source === "cache" ? "status.cache" : "status.network"));
    if (bytesPerSecond) parts.push(t("models.rate", { rate: megabytes(bytesPerSecond) }));
    if (secondsLeft !== null && secondsLeft !== undefined) parts.push(t("models.left", { count: Math.ceil(secondsLeft) }));
    this.#stage.textContent = parts.join(" · ");
    if (total && loaded > 1024) {
      this.#bar.max = total;
      this.#bar.value = loaded;
    } else {
      this.#bar.removeAttribute("value");
    }
  }

  #useAddress(typed) {
    if (!typed) return;
    try {
      const address = addressOf(typed);
      void this.#use(modelAt(address), address, typed);
    } catch (error) {
      showProblem(this.#problem, error);
    }
  }

  async #takeDrop(event) {
    const dropped = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).find((entry) => entry?.isDirectory);
    if (!dropped) return;
    event.preventDefault();
    event.stopPropagation();
    const inside = (await childrenOf(dropped)).filter((entry) => entry.isFile);
    const files = await Promise.all(inside.map((entry) => new Promise((done, fail) => entry.file(done, fail))));
    void this.#use(files, FILES, dropped.name);
  }

  /** Has one of the page's own models answer; resolves to whether it does. @param {import("../ui/local.js").Local} local */
  useLocal({ model, key }) {
    return this.#use(model, model, t(`models.${key}`));
  }

  /** Loads a model beside the one that answers, which stays until the new one is ready; resolves to whether it is. */
  async #use(model, address, name) {
    this.#loading?.abort();
    const mine = new AbortController();
    this.#loading = mine;
    showProblem(this.#problem, null);
    this.#run.hidden = false;
    // What was pressed may be below a long list.
    this.#run.scrollIntoView({ block: "nearest" });
    this.#stage.textContent = t("status.starting");
    this.#bar.removeAttribute("value");
    const packed = LOCAL.some((local) => local.model === address);
    const quantization = packed || this.#precision.value === "stored" ? undefined : this.#precision.value;
    const onProgress = (event) => this.#loading === mine && this.#showProgress(event);
    try {
      await this.session.useModel({ model, address: linkOf(address), quantization }, { signal: mine.signal, onProgress });
      announce(t("models.ready", { name }));
      return true;
    } catch (error) {
      if (error.code === "engine/cancelled") announce(t("models.cancelled"));
      else {
        showProblem(this.#problem, error);
        this.#problem.scrollIntoView({ block: "nearest" });
      }
      return false;
    } finally {
      if (this.#loading === mine) {
        this.#loading = null;
        this.#run.hidden = true;
      }
      await this.#render();
    }
  }

  /** Opens the list at the model that suits this device. */
  async offerBigger() {
    this.root.open = true;
    await this.#render();
    const button = this.#button(hubName(thatSuits(this.#onGpu)));
    button?.scrollIntoView({ block: "center" });
    button?.focus();
  }
}

/** What this browser keeps of a model, in words. */
function keptText({ quantization, bytes, source }) {
  return t(source.commit ? "models.kept-commit" : "models.kept", {
    form: quantization,
    size: megabytes(bytes),
    hash: source.sha256.slice(0, 12),
    commit: source.commit?.slice(0, 7) ?? "",
  });
}
