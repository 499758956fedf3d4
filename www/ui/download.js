/** Time that the browser may take to begin a download. */
const BEGIN_MS = 60_000;

/** Saves a file under a name. @param {Blob} blob */
export function download(name, blob) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), BEGIN_MS);
}
