import { t } from "../ui/i18n.js";
import { isImage } from "../ui/folders.js";
import { isClassifier } from "../ui/share.js";
import { droppedFiles, sample, SAMPLES, takeShared } from "../ui/sources.js";
import { Panel } from "./panel.js";

const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
const isTextField = (element) => element instanceof Element && element.closest("input:not([type=file]), textarea");

/** The sources of photos: files, a folder, drops, the clipboard, other apps, the samples. */
export class PhotosPanel extends Panel {
  #chooser = this.find("files");
  #samples = this.find("samples");
  #openClassifier;

  /**
   * @param {HTMLElement} root
   * @param {import("../session.js").Session} session
   * @param {(file: File) => void} openClassifier takes a classifier file that came among photos
   */
  constructor(root, session, openClassifier) {
    super(root, session);
    this.#openClassifier = openClassifier;
    // With the last photo its place in the results is gone.
    for (const type of ["removed", "cleared"]) this.on(type, () => session.photos.size === 0 && this.#chooser.focus());
    this.#listenToChoosers();
    this.#listenToDrops();
    addEventListener("paste", (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (files.length === 0 || isTextField(event.target)) return;
      event.preventDefault();
      this.#receive(files);
    });
    globalThis.launchQueue?.setConsumer(async ({ files }) => {
      if (files?.length) this.#receive(await Promise.all(files.map((handle) => handle.getFile())));
    });
    if (new URLSearchParams(location.search).has("shared")) void takeShared().then((files) => this.#receive(files));
    this.#showSamples();
  }

  /** Puts files into the queue; one without a name gets one. Of classifier files among them, the last is opened. */
  #receive(files) {
    const classifiers = files.filter(isClassifier);
    if (classifiers.length > 0) this.#openClassifier(classifiers.at(-1));
    const photos = files.filter((file) => !isClassifier(file));
    this.session.add(photos.map((file) => (file.name ? file : new File([file], t("photos.pasted"), { type: file.type }))));
  }

  #listenToChoosers() {
    const folder = this.find("folder");
    this.#chooser.addEventListener("change", () => {
      this.#receive([...this.#chooser.files]);
      // The same file may be chosen again.
      this.#chooser.value = "";
    });
    folder.addEventListener("change", () => {
      this.#receive([...folder.files].filter(isImage));
      folder.value = "";
    });
    this.#samples.addEventListener("click", (event) => {
      const name = event.target.closest("button")?.dataset.sample;
      if (name) void sample(name).then((file) => this.#receive([file]));
    });
  }

  /** The whole window takes drops: a file that misses the zone must not replace the page. */
  #listenToDrops() {
    let depth = 0;
    const mark = () => this.find("drop").classList.toggle("over", depth > 0);
    addEventListener("dragenter", (event) => {
      if (!hasFiles(event)) return;
      depth += 1;
      mark();
    });
    addEventListener("dragleave", (event) => {
      if (!hasFiles(event)) return;
      depth = Math.max(0, depth - 1);
      mark();
    });
    addEventListener("dragover", (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = "copy";
    });
    addEventListener("drop", (event) => {
      if (!hasFiles(event)) return;
      // Another part of the page may have taken them.
      const taken = event.defaultPrevented;
      event.preventDefault();
      depth = 0;
      mark();
      if (!taken) void droppedFiles(event.dataTransfer).then((files) => this.#receive(files));
    });
  }

  #showSamples() {
    const buttons = Object.entries(SAMPLES).map(([file, name]) => {
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.sample = file;
      const image = new Image(56, 56);
      image.src = `samples/${file}.jpg`;
      image.alt = name;
      button.append(image);
      return button;
    });
    this.#samples.append(...buttons);
  }
}
