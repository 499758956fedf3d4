/** Classifier files of this page: which files are ones, how they name their model, and where that comes from. */
import { PromptLens } from "../pkg/index.js";
import { ENDING, modelAddress } from "../pkg/classifier_file.js";
import { localModel } from "./local.js";
import { linkOf, modelAt } from "./modellist.js";

/** Whether a file is a classifier, by its name: everything else about it is read from inside. */
export const isClassifier = ({ name }) => name.toLowerCase().endsWith(ENDING);

/** The address by which others can load the model; `null`: it came from files of this computer. */
export const sharedAddress = (model) => (typeof model === "string" ? PromptLens.models.address(model) : null);

/**
 * @typedef {object} Way
 * @property {"here" | "own" | "elsewhere" | "nowhere"} from whether it is the one that answers, it is the page's own, it has to be
 *   fetched, or the page cannot get it
 * @property {{model: any, address: string | null, quantization?: string} | null} choice what to load
 */

/**
 * How this page comes to the model of a classifier.
 *
 * @param {import("../pkg/index.js").ClassifierSettings} settings
 * @param {import("../pkg/index.js").Info | null} info of the model that answers
 * @param {any} current the model that was asked for last
 * @returns {Way}
 */
export function wayTo({ model: { address, sha256, quantization: form } }, info, current) {
  const quantization = form ?? undefined;
  const loaded = info !== null && (sha256 === null || sha256 === info.modelSha256);
  if (loaded && (form === null || form === info.quantization)) return { from: "here", choice: null };
  const own = sha256 && localModel(sha256);
  if (own) return { from: "own", choice: { model: own.model, address: linkOf(own.model), quantization } };
  if (loaded && typeof current !== "string") return { from: "own", choice: { model: current, address: null, quantization } };
  try {
    const found = modelAddress(address, null);
    if (found) return { from: "elsewhere", choice: { model: modelAt(found), address: found, quantization } };
  } catch {
    // It is relative to an address that a file on this device does not have.
  }
  return { from: "nowhere", choice: null };
}
