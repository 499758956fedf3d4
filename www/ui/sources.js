/** Photos from elsewhere: a folder, another app, the file manager, the samples. */
import { isImage } from "./folders.js";

const folder = document.getElementById("folder");
const samples = document.getElementById("samples");

/** Where sw.js keeps what another app shares. */
const SHARED = "promptlens-shared";

/**
 * The pictures that come with the page, and the class name that each shows. The first three are photos,
 * whose sources www/samples/README.md names; the others are drawn, see tests/browser/pictures.mjs.
 */
const SAMPLES = {
  cat: "cat",
  cup: "cup",
  rocket: "rocket",
  sunflower: "sunflower",
  "golf-ball": "golf ball",
  parachute: "parachute",
  church: "church",
};

/**
 * Everything in what was dropped: files, and those of folders that are images.
 *
 * @param {DataTransfer} transfer
 * @returns {Promise<File[]>}
 */
export async function droppedFiles(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return [...transfer.files];
  const found = [];
  for (const entry of entries) await walk(entry, found, entry.isFile);
  return found;
}

async function walk(entry, found, wanted) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject)).catch(() => null);
    if (file && (wanted || isImage(file))) found.push(file);
    return;
  }
  const reader = entry.createReader();
  // A reader gives a folder in parts, the last of which is empty.
  for (;;) {
    const part = await new Promise((resolve, reject) => reader.readEntries(resolve, reject)).catch(() => []);
    if (part.length === 0) return;
    for (const child of part) await walk(child, found, false);
  }
}

/** Calls `receive` with the files of every source here. */
export async function onSources(receive) {
  folder.addEventListener("change", () => {
    receive([...folder.files].filter(isImage));
    folder.value = "";
  });
  samples.addEventListener("click", (event) => {
    const name = event.target.closest("button")?.dataset.sample;
    if (name) void sample(name).then((file) => receive([file]));
  });
  globalThis.launchQueue?.setConsumer(async ({ files }) => {
    if (files?.length) receive(await Promise.all(files.map((handle) => handle.getFile())));
  });
  if (new URLSearchParams(location.search).has("shared")) {
    const files = await takeShared();
    if (files.length) receive(files);
  }
}

/** Shows the samples to choose from. */
export function showSamples() {
  samples.append(
    ...Object.entries(SAMPLES).map(([file, name]) => {
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.sample = file;
      const image = new Image(56, 56);
      image.src = `samples/${file}.jpg`;
      image.alt = name;
      button.append(image);
      return button;
    }),
  );
}

async function sample(name) {
  const response = await fetch(`samples/${name}.jpg`);
  return new File([await response.blob()], `${name}.jpg`, { type: "image/jpeg" });
}

/** Takes what another app shared, once. */
async function takeShared() {
  try {
    const cache = await caches.open(SHARED);
    const files = [];
    for (const request of await cache.keys()) {
      const response = await cache.match(request);
      await cache.delete(request);
      if (!response) continue;
      const name = decodeURIComponent(response.headers.get("x-file-name") ?? "");
      files.push(new File([await response.blob()], name, { type: response.headers.get("content-type") ?? "" }));
    }
    return files;
  } catch {
    // Without storage nothing can have been kept.
    return [];
  }
}
