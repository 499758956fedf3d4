/** The models that lie beside this page. */

/**
 * @typedef {object} Local
 * @property {string} model its address
 * @property {string} key what its messages are called: `models.<key>`, `card-of.<key>-...`
 * @property {string} sha256 of its source weights, as prompts and links name it
 * @property {number} alike the cosine from which two photos are nearly the same, by
 *   benches/reports/2026-11-30-near-duplicates.md
 */

const at = (name) => new URL(`./models/${name}/`, document.baseURI).href;

/** The built-in model first. @type {Local[]} */
export const LOCAL = [
  { model: at("mini"), key: "mini", sha256: "5c98d0be731dd201331aedcccc6e6fb1332f6d3f27103a7ea59897ffd5b26e48", alike: 0.9 },
  { model: at("mini-vit"), key: "mini-vit", sha256: "ffdde8d94391109d5dc2af81a059bd5e133b6447d76ce609a87c57eba4a6d4a2", alike: 0.99 },
];

export const BUILT_IN = LOCAL[0];
export const FORMER = LOCAL[1];

/** The local model whose hash begins with `sha256`, if there is one. */
export const localModel = (sha256) => LOCAL.find((local) => sha256 && local.sha256.startsWith(sha256));
