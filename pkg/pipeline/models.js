/*
 * What a model's name in transformers.js is here. Its models are mostly ONNX copies, which this engine
 * does not read; it loads the repositories that they were made from.
 */
import { invalid } from "../error.js";
import { hubName, readName } from "../source/name.js";

/** ONNX copies, and the repositories that hold the same weights in a format that is read. */
const COPIES = Object.freeze({
  "Xenova/clip-vit-base-patch32": "openai/clip-vit-base-patch32",
  "Xenova/clip-vit-base-patch16": "openai/clip-vit-base-patch16",
  "Xenova/clip-vit-large-patch14": "openai/clip-vit-large-patch14",
  "Xenova/clip-vit-large-patch14-336": "openai/clip-vit-large-patch14-336",
  "onnx-community/clip-vit-base-patch32-ONNX": "openai/clip-vit-base-patch32",
});
/** Owners whose repositories hold ONNX files and nothing else. */
const COPYING = ["xenova", "onnx-community"];

/**
 * Where the model called `name` is loaded from.
 *
 * @param {string} name `owner/name`, `hf:owner/name`, or the address of a folder
 * @param {string} revision of a repository
 * @returns {{address: string, quantization?: "q8", message?: string}} `quantization` is that of a download without a dtype
 */
export function modelOf(name, revision) {
  if (typeof name !== "string" || name.trim() === "") throw invalid("The model must be a name such as `Xenova/clip-vit-base-patch32`, or the address of a model folder.");
  const read = readName(name);
  if (read.kind === "address") {
    if (revision !== "main") throw invalid("`revision` belongs to a repository of the hub; the address of a folder has none.");
    return { address: read.address };
  }
  const { repository, folder } = read.reference;
  const same = (known) => known.toLowerCase() === repository.toLowerCase();
  const copy = Object.keys(COPIES).find(same);
  if (!copy && COPYING.includes(repository.split("/")[0].toLowerCase())) {
    throw invalid(`${repository} holds ONNX files, which are not read. Name the repository that it was made from. Known copies: ${Object.keys(COPIES).join(", ")}.`);
  }
  const asked = read.reference.revision === "main" ? revision : read.reference.revision;
  if (copy && asked !== "main") throw invalid(`The revision ${asked} is one of ${copy}. Name ${COPIES[copy]}, whose weights are loaded, with a revision of its own.`);
  const address = hubName({ repository: copy ? COPIES[copy] : repository, revision: asked, folder });
  const message = copy && `${copy} is an ONNX copy of ${COPIES[copy]}, which is loaded in its place.`;
  return { address, quantization: "q8", message };
}
