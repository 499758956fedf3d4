/**
 * The models that the package knows by name. It has no hashes: at the first
 * download the hub reports a repository's commit and the SHA-256 of the file, which are stored and
 * enforced from then on. docs/reference/checkpoints.md names the sources of these facts.
 *
 * `repository` is the name that a model is known by. `sources` are tried in turn: repositories with
 * the same weights, those that hold safetensors first. `shapes` is the part of a Hugging Face
 * `config.json` that the artifact must agree with.
 */

/** More weights than this do not fit beside a browser in a phone's memory. */
const MOST_ON_A_PHONE = 250e6;

const shapes = (image, patch, [width, layers], [textWidth, textLayers, textHeads], joint = 512) => ({
  projection_dim: joint,
  vision_config: {
    image_size: image,
    patch_size: patch,
    hidden_size: width,
    num_hidden_layers: layers,
    num_attention_heads: width / 64,
    intermediate_size: width * 4,
  },
  text_config: {
    hidden_size: textWidth,
    num_hidden_layers: textLayers,
    num_attention_heads: textHeads,
    intermediate_size: textWidth * 4,
    max_position_embeddings: 77,
    vocab_size: 49408,
  },
});

const base = (image, patch) => shapes(image, patch, [768, 12], [512, 12, 8]);
const large = (image) => shapes(image, 14, [1024, 24], [768, 12, 12], 768);

const source = (repository, file, licence) => ({ repository, file, licence });
const openClip = (repository, licence) => source(repository, "open_clip_model.safetensors", licence);

/** OpenAI's model cards state no license; its code has MIT, and the cards of the copies state Apache-2.0. */
const openAi = (id, size, timm, own, file, shape) => ({
  id: `openai-vit-${id}`,
  name: `OpenAI CLIP ViT-${size}`,
  sources: [openClip(`timm/vit_${timm}.openai`, "Apache-2.0"), source(`openai/clip-vit-${own}`, file, "MIT")],
  repository: `openai/clip-vit-${own}`,
  shapes: shape,
});

const tiny = (millions, patch, text, data, vision, textTower) => ({
  id: `tinyclip-${millions}m-${patch}`,
  name: `TinyCLIP ViT-${millions}M/${patch}`,
  sources: [source(`wkcn/TinyCLIP-ViT-${millions}M-${patch}-Text-${text}M-${data}`, "model.safetensors", "MIT")],
  shapes: shapes(224, patch, vision, textTower),
});

/** @type {readonly import("../index.js").ModelEntry[]} */
export const TABLE = freeze(
  [
    tiny(8, 16, 3, "YFCC15M", [256, 10], [256, 3, 4]),
    tiny(39, 16, 19, "YFCC15M", [512, 12], [512, 6, 8]),
    tiny(40, 32, 19, "LAION400M", [512, 12], [512, 6, 8]),
    tiny(61, 32, 29, "LAION400M", [640, 12], [512, 9, 8]),
    {
      id: "datacomp-vit-b-32-256",
      name: "DataComp CLIP ViT-B/32-256",
      sources: [openClip("laion/CLIP-ViT-B-32-256x256-DataComp-s34B-b86K", "MIT")],
      shapes: base(256, 32),
    },
    openAi("b-32", "B/32", "base_patch32_clip_224", "base-patch32", "pytorch_model.bin", base(224, 32)),
    openAi("b-16", "B/16", "base_patch16_clip_224", "base-patch16", "pytorch_model.bin", base(224, 16)),
    {
      id: "laion-vit-b-32",
      name: "LAION-2B CLIP ViT-B/32",
      sources: [source("laion/CLIP-ViT-B-32-laion2B-s34B-b79K", "model.safetensors", "MIT")],
      shapes: base(224, 32),
    },
    {
      id: "metaclip-vit-b-16",
      name: "MetaCLIP ViT-B/16",
      sources: [openClip("timm/vit_base_patch16_clip_224.metaclip_2pt5b", "CC-BY-NC-4.0")],
      shapes: base(224, 16),
    },
    {
      id: "fashion-clip",
      name: "FashionCLIP ViT-B/32",
      sources: [source("patrickjohncyh/fashion-clip", "model.safetensors", "MIT")],
      shapes: base(224, 32),
    },
    openAi("l-14", "L/14", "large_patch14_clip_224", "large-patch14", "model.safetensors", large(224)),
    openAi("l-14-336", "L/14-336", "large_patch14_clip_336", "large-patch14-336", "pytorch_model.bin", large(336)),
    {
      id: "bioclip-2",
      name: "BioCLIP 2 ViT-L/14",
      sources: [openClip("imageomics/bioclip-2", "MIT")],
      shapes: large(224),
    },
  ].map(complete),
);

/** What follows from the rest of a row. */
function complete(entry) {
  const count = parameters(entry.shapes);
  const [{ repository, licence }] = entry.sources;
  return { repository, licence, ...entry, parameters: count, phone: count <= MOST_ON_A_PHONE };
}

/** The row that a repository of the hub is known by. */
export function rowOf({ repository, revision, folder }) {
  if (revision !== "main" || folder) return null;
  const wanted = repository.toLowerCase();
  return TABLE.find((entry) => entry.repository.toLowerCase() === wanted) ?? null;
}

/** Weights of a CLIP of these shapes. */
function parameters({ projection_dim: joint, vision_config: v, text_config: t }) {
  const block = (w, mlp) => 4 * (w * w + w) + 2 * w * mlp + mlp + w + 4 * w;
  const patches = (v.image_size / v.patch_size) ** 2;
  const vision =
    v.hidden_size * (1 + 3 * v.patch_size ** 2 + patches + 1 + 4 + joint) +
    v.num_hidden_layers * block(v.hidden_size, v.intermediate_size);
  const text =
    t.hidden_size * (t.vocab_size + t.max_position_embeddings + 2 + joint) +
    t.num_hidden_layers * block(t.hidden_size, t.intermediate_size);
  return vision + text + 1;
}

function freeze(value) {
  if (typeof value === "object" && value !== null) {
    for (const inner of Object.values(value)) freeze(inner);
    Object.freeze(value);
  }
  return value;
}
