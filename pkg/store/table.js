/**
 * The models that the package knows by name. No hash stands here: a repository's commit and the
 * SHA-256 of the file are what the hub reports when it is first downloaded, and are kept and
 * enforced from then on.
 *
 * `sources` are tried in turn: repositories with the same weights. `shapes` is the part of a
 * Hugging Face `config.json` that the artifact must agree with.
 */

const shapes = (image, patch, [width, layers], [textWidth, textLayers, textHeads]) => ({
  projection_dim: 512,
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

const openAi = (patch) => ({
  id: `openai-vit-b-${patch}`,
  name: `OpenAI CLIP ViT-B/${patch}`,
  licence: "MIT",
  sources: [
    { repository: `openai/clip-vit-base-patch${patch}`, file: "model.safetensors" },
    { repository: `timm/vit_base_patch${patch}_clip_224.openai`, file: "open_clip_model.safetensors" },
  ],
  shapes: shapes(224, patch, [768, 12], [512, 12, 8]),
});

const tiny = (millions, patch, text, data, vision, textTower) => ({
  id: `tinyclip-${millions}m-${patch}`,
  name: `TinyCLIP ViT-${millions}M/${patch}`,
  licence: "MIT",
  sources: [{ repository: `wkcn/TinyCLIP-ViT-${millions}M-${patch}-Text-${text}M-${data}`, file: "model.safetensors" }],
  shapes: shapes(224, patch, vision, textTower),
});

/** @type {readonly import("../index.js").ModelEntry[]} */
export const TABLE = freeze([
  tiny(8, 16, 3, "YFCC15M", [256, 10], [256, 3, 4]),
  tiny(39, 16, 19, "YFCC15M", [512, 12], [512, 6, 8]),
  tiny(40, 32, 19, "LAION400M", [512, 12], [512, 6, 8]),
  tiny(61, 32, 29, "LAION400M", [640, 12], [512, 9, 8]),
  openAi(32),
  openAi(16),
  {
    id: "laion-vit-b-32",
    name: "LAION-2B CLIP ViT-B/32",
    licence: "MIT",
    sources: [{ repository: "laion/CLIP-ViT-B-32-laion2B-s34B-b79K", file: "model.safetensors" }],
    shapes: shapes(224, 32, [768, 12], [512, 12, 8]),
  },
]).map((entry) => Object.freeze({ ...entry, parameters: parameters(entry.shapes) }));

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
