import { setMessage } from "./i18n.js";

/** Work that takes a while, in an element with a line, a bar and a button that stops it. */
export class Work {
  #root;
  #stage;
  #bar;
  #button;
  /** @type {AbortController | null} */
  #running = null;

  /** @param {HTMLElement} root */
  constructor(root) {
    this.#root = root;
    this.#stage = root.querySelector("p");
    this.#bar = root.querySelector("progress");
    this.#button = root.querySelector("button");
    this.#button.addEventListener("click", () => this.stop());
  }

  get running() {
    return this.#running !== null;
  }

  stop() {
    this.#running?.abort();
  }

  /**
   * Does `task`, in place of what was running.
   *
   * @template T
   * @param {(how: {signal: AbortSignal, show: (key: string, loaded: number, total: number) => void}) => Promise<T>} task
   *   `show` says how far it is: a message with `{loaded}` and `{total}`
   * @param {HTMLElement} back gets the focus if the button that stops the work had it
   * @returns {Promise<T | null>} `null`: it was stopped
   */
  async run(task, back) {
    this.stop();
    const own = (this.#running = new AbortController());
    const { signal } = own;
    this.#show("pile.begins");
    this.#root.hidden = false;
    if (document.activeElement === back) this.#button.focus();
    try {
      const result = await task({ signal, show: (...said) => signal.aborted || this.#show(...said) });
      return signal.aborted ? null : result;
    } catch (error) {
      if (signal.aborted) return null;
      throw error;
    } finally {
      if (this.#running === own) {
        this.#running = null;
        const focused = this.#root.contains(document.activeElement);
        this.#root.hidden = true;
        if (focused) back.focus();
      }
    }
  }

  #show(key, loaded, total) {
    setMessage(this.#stage, key, { loaded, total });
    if (loaded === undefined) return this.#bar.removeAttribute("value");
    this.#bar.max = total;
    this.#bar.value = loaded;
  }
}
