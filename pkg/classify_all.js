import { blobOf, defined } from "./arguments.js";
import { compiledEngine } from "./client.js";
import { PromptLensError, cancelled, invalid } from "./error.js";
import { ViewPool } from "./view_pool.js";

/** Workers that decode, at most: each may hold a large photo in memory. */
const MOST_WORKERS = 4;
/** Photos that are answered in one call, at most: between two calls others get their turn. */
const BATCH = 16;
/** Photos that wait for their answer, for each worker that decodes. */
const AHEAD = 2;
/** Errors of these areas belong to one photo; others end the work. */
const OF_ONE_PHOTO = ["image/", "io/", "engine/not-finite"];

/**
 * Answers many photos: workers of their own decode and scale them, and the engine answers together
 * those that are ready.
 *
 * @param {import("./client.js").EngineClient} engine
 * @param {number} classes what the engine knows the class list by
 * @param {Iterable<any> | AsyncIterable<any>} images
 * @param {import("./index.js").ClassifyAllOptions} options
 * @returns {AsyncGenerator<import("./index.js").PhotoAnswer>}
 */
export async function* classifyAll(engine, classes, images, { concurrency, order = "input", signal, onProgress, variants, gallery, ...options } = {}) {
  if (variants !== undefined || gallery !== undefined) throw invalid("`variants` and `gallery` belong to single answers; use classify().");
  if (order !== "input" && order !== "completion") throw invalid('`order` must be "input" or "completion".');
  const workers = concurrency ?? Math.min(MOST_WORKERS, globalThis.navigator?.hardwareConcurrency ?? 1);
  if (!Number.isInteger(workers) || workers < 1 || workers > 64) throw invalid("`concurrency` must be a whole number from 1 to 64.");
  const run = new Run(engine, classes, defined(options), { workers, signal, onProgress });
  try {
    yield* order === "input" ? inOrder(run.answers(images)) : run.answers(images);
  } finally {
    run.close();
  }
}

/** Puts answers into the order of their photos. */
async function* inOrder(answers) {
  const early = new Map();
  let next = 0;
  for await (const answer of answers) {
    early.set(answer.index, answer);
    for (; early.has(next); next += 1) {
      yield early.get(next);
      early.delete(next);
    }
  }
}

/** One run over a list of photos. */
class Run {
  #engine;
  #classes;
  #options;
  #signal;
  #onProgress;
  #workers;
  /** @type {ViewPool | null} */
  #pool = null;
  /** Aborted when the run ends, for whatever reason. */
  #end = new AbortController();
  /** Views that are ready, with the place and the image of their photo. */
  #ready = [];
  /** Answers that nobody has taken yet. */
  #answered = [];
  /** Photos that were taken from the list and have no answer yet. */
  #open = 0;
  #answering = false;
  #failure = null;
  /** Tells the loop that something has changed. */
  #wake = () => {};

  constructor(engine, classes, options, { workers, signal, onProgress }) {
    this.#engine = engine;
    this.#classes = classes;
    this.#options = options;
    this.#workers = workers;
    this.#signal = signal;
    this.#onProgress = onProgress;
  }

  /** The answers as they come. */
  async *answers(images) {
    if (this.#signal?.aborted) throw cancelled();
    const stop = () => this.#fail(cancelled());
    this.#signal?.addEventListener("abort", stop, { once: true });
    try {
      // What needs the whole photo is answered one photo at a time.
      const { tune = "none", heatmap = false } = this.#options;
      if (tune === "none" && heatmap === false) await this.#openPool();
      yield* this.#loop(images);
    } finally {
      this.#signal?.removeEventListener("abort", stop);
    }
  }

  close() {
    this.#end.abort();
    this.#pool?.close();
  }

  async #openPool() {
    const code = compiledEngine();
    if (!code) return;
    const preprocessing = await this.#engine.call("preprocessing", {}, { signal: this.#signal });
    this.#pool = new ViewPool(this.#workers, code, preprocessing);
  }

  async *#loop(images) {
    const list = images[Symbol.asyncIterator]?.() ?? images[Symbol.iterator]();
    // Without workers the engine itself decodes, one photo after the other.
    const most = this.#pool ? this.#workers * AHEAD + BATCH : 1;
    let index = 0;
    let ended = false;
    let pulling = null;
    try {
      while (true) {
        if (this.#failure) throw this.#failure;
        if (this.#answered.length > 0) {
          yield* this.#answered.splice(0);
          continue;
        }
        if (!this.#answering && this.#ready.length > 0) void this.#answer(this.#ready.splice(0, BATCH));
        if (ended && this.#open === 0) return;
        const changed = new Promise((resolve) => (this.#wake = resolve));
        if (!ended && !pulling && this.#open < most) {
          pulling = Promise.resolve(list.next()).then(
            ({ done, value }) => {
              pulling = null;
              if (done) ended = true;
              else if (!this.#end.signal.aborted) void this.#view(index++, value);
              this.#wake();
            },
            (error) => this.#fail(error),
          );
        }
        await changed;
      }
    } finally {
      // A list that is at work on its next photo is closed once it has it.
      const closed = Promise.resolve(pulling).then(() => ended || list.return?.());
      if (!pulling) await closed;
    }
  }

  async #view(index, image) {
    this.#open += 1;
    try {
      const blob = blobOf(image);
      const view = this.#pool && (await this.#pool.view(blob));
      this.#ready.push({ index, image, blob, view });
      this.#wake();
    } catch (error) {
      this.#settle({ index, image, error });
    }
  }

  async #answer(photos) {
    this.#answering = true;
    const seen = photos.filter(({ view }) => view);
    try {
      if (seen.length > 0) await this.#together(seen);
      for (const photo of photos) if (!photo.view) await this.#alone(photo);
    } catch (error) {
      this.#fail(error);
    }
    this.#answering = false;
    this.#wake();
  }

  async #together(photos) {
    const args = { classes: this.#classes, views: photos.map(({ view }) => view), options: this.#options };
    let results;
    try {
      results = await this.#engine.call("classifyViews", args, { signal: this.#end.signal });
    } catch (error) {
      if (!isOfOnePhoto(error)) throw error;
      // Which of them it was is seen one by one.
      for (const photo of photos) await this.#alone(photo);
      return;
    }
    photos.forEach(({ index, image }, i) => this.#settle({ index, image, result: results[i] }));
  }

  async #alone({ index, image, blob }) {
    const args = { classes: this.#classes, image: blob, options: this.#options, pictures: {} };
    const onProgress = this.#onProgress && ((event) => this.#onProgress({ ...event, index }));
    try {
      const result = await this.#engine.call("classify", args, { signal: this.#end.signal, onProgress });
      this.#settle({ index, image, result });
    } catch (error) {
      if (!isOfOnePhoto(error)) throw error;
      this.#settle({ index, image, error });
    }
  }

  #settle(answer) {
    if (answer.error && !isOfOnePhoto(answer.error)) {
      this.#fail(answer.error);
      return;
    }
    this.#open -= 1;
    this.#answered.push(answer);
    this.#wake();
  }

  #fail(error) {
    this.#failure ??= error;
    this.#end.abort();
    this.#wake();
  }
}

function isOfOnePhoto(error) {
  return error instanceof PromptLensError && OF_ONE_PHOTO.some((area) => error.code.startsWith(area));
}
