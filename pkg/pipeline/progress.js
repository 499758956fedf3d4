/* Progress of loading as the events of transformers.js: initiate, download, progress, progress_total, done, ready. */

/** What is fetched, by stage of the engine's progress. Other stages have no counterpart and are left out. */
const FILES = { engine: "promptlens_bg.wasm", configuration: "configuration", weights: "weights" };

/**
 * @param {((event: any) => void) | null} callback
 * @param {string} name of the model, as it was asked for
 */
export function progressEvents(callback, name) {
  if (!callback) return { onProgress: undefined, ready() {} };
  /** Bytes so far, by file. @type {Record<string, {loaded: number, total: number}>} */
  const files = {};
  /** @type {string | null} */
  let current = null;
  const finish = () => {
    if (current !== null) callback({ status: "done", name, file: current });
    current = null;
  };
  const onProgress = ({ stage, loaded, total }) => {
    const file = FILES[stage];
    if (!file) return;
    if (file !== current) {
      finish();
      current = file;
      callback({ status: "initiate", name, file });
      callback({ status: "download", name, file });
    }
    if (loaded === 0 && total === null) return;
    // A file of unknown length is as long as what has come of it.
    files[file] = { loaded, total: total ?? loaded };
    const sum = (key) => Object.values(files).reduce((all, one) => all + one[key], 0);
    const [allLoaded, allTotal] = [sum("loaded"), sum("total")];
    callback({ status: "progress_total", name, progress: percent(allLoaded, allTotal), loaded: allLoaded, total: allTotal, files: structuredClone(files) });
    callback({ status: "progress", name, file, progress: percent(loaded, files[file].total), ...files[file] });
  };
  const ready = (task) => {
    finish();
    callback({ status: "ready", task, model: name });
  };
  return { onProgress, ready };
}

const percent = (loaded, total) => (total > 0 ? (loaded / total) * 100 : 0);
