/** Everything that decides an answer but the photos, as the page's controls have it: for links and exports. */
import { getOrder } from "../panels/gallery.js";
import { language } from "./i18n.js";
import { getNames, getTemplate } from "../panels/names.js";
import { edits } from "../panels/negatives.js";
import { getScore } from "../panels/reject.js";
import { promptInUse } from "../panels/teach.js";
import { getTune } from "../panels/tune.js";
import { getBorrowing } from "../panels/variants.js";

const choices = () => ({
  labels: getNames(),
  template: getTemplate(),
  prompt: promptInUse(),
  tune: { ...getTune(), ...getBorrowing() },
  ood: getScore(),
  edits: edits(),
});

/** @param {import("../pkg/index.js").Info} info what answered */
export const forExport = (info) => ({ ...choices(), info });

/** Digits of a hash that a link names its model by. */
const DIGITS = 12;

/**
 * @param {{model: string | File[], quantization?: string, device: string}} settings
 * @param {string} [sha256] of the source weights of the model that answers
 */
export const forLink = ({ model, quantization, device }, sha256) => ({
  ...choices(),
  order: getOrder(),
  model,
  weights: sha256?.slice(0, DIGITS),
  quantization,
  device,
  language: language(),
});
