import { droppedFiles, onSources } from "../ui/sources.js";
import { onCamera } from "./camera.js";

const input = document.getElementById("files");
const drop = document.getElementById("drop");

const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
const isTextField = (element) => element instanceof Element && element.closest("input:not([type=file]), textarea");

/** Calls `receive` with the files of every choice, drop, paste and other source. */
export function onPhotos(receive) {
  input.addEventListener("change", () => {
    receive([...input.files]);
    // The same file may be chosen again.
    input.value = "";
  });

  // The whole window takes drops: a file that misses the zone must not replace the page.
  let depth = 0;
  const mark = () => drop.classList.toggle("over", depth > 0);
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
    if (!taken) void droppedFiles(event.dataTransfer).then(receive);
  });

  addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length === 0 || isTextField(event.target)) return;
    event.preventDefault();
    receive(files);
  });
  void onSources(receive);
  onCamera(receive);
}
