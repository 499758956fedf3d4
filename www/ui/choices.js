/** Everything that decides an answer but the photos: for links and exports. */
import { language } from "./i18n.js";

/** Digits of a hash that a link names its model by. */
const DIGITS = 12;

/** @param {import("../session.js").Session} session */
function choices({ names, template, otherTemplates, prompt, promptSha256, tune, variants, rejection, negatives, honesty }) {
  return {
    labels: [...names],
    template,
    otherTemplates,
    prompt: prompt && { recipe: prompt.recipe, sha256: promptSha256 },
    temperature: honesty.temperature,
    tune: { ...tune, ...(variants.borrows ? { gallery: true } : {}) },
    ood: rejection.options,
    edits: negatives.edits,
  };
}

/** @param {import("../session.js").Session} session */
export const forExport = (session) => ({ ...choices(session), info: session.info });

/** @param {import("../session.js").Session} session */
export function forLink(session) {
  const { model, quantization, device } = session.settings;
  const weights = session.usable ? session.info.modelSha256.slice(0, DIGITS) : undefined;
  return { ...choices(session), order: session.order, model, weights, quantization, device, language: language() };
}
