/*
 * `promptlens/pipeline`: the call of transformers.js on this engine. Names of tasks, options, events and
 * results are theirs (version 4), so that a page changes one import.
 */
import { PromptLens } from "./index.js";
import { modelOf } from "./pipeline/models.js";
import { loadOptions } from "./pipeline/options.js";
import { progressEvents } from "./pipeline/progress.js";
import { taskOf } from "./pipeline/tasks.js";

/**
 * Loads a model and returns what runs it, as in transformers.js.
 *
 * @param {string} task `"zero-shot-image-classification"` or `"image-feature-extraction"`
 * @param {string | null} [model] a repository of the hub or the address of a model folder; the task's default when left out
 * @param {object} [options]
 */
export async function pipeline(task, model = null, options = {}) {
  const { run, defaultModel } = taskOf(task);
  const { revision, progress, resize, load } = loadOptions(options ?? {});
  const name = model ?? defaultModel(task);
  const place = modelOf(name, revision);
  if (place.message) console.info(`promptlens/pipeline: ${place.message}`);
  const events = progressEvents(progress, name);
  const quantization = load.quantization ?? place.quantization;
  const lens = await PromptLens.load({ ...load, quantization, model: place.address, onProgress: events.onProgress });
  events.ready(task);
  const call = run(lens, resize);
  return Object.assign((...inputs) => call(...inputs), { task, lens, dispose: async () => lens.free() });
}
