//! How checkpoints call the tensors of a CLIP. Hugging Face's names are the ones used inside; other
//! schemes are tables that lead to them.

/// Memory layout in the file relative to the model's tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileLayout {
    /// Alike.
    Same,
    /// Columns for rows.
    Transposed,
    /// Queries, keys and values below each other.
    Thirds,
}

/// One line of a naming scheme: the name in the file, the name of the model, and how values stand.
/// `*` stands for `q`, `k` and `v`.
type Rule = (&'static str, &'static str, FileLayout);

/// OpenCLIP, and OpenAI's own release, outside of the blocks.
const OPEN_CLIP: &[Rule] = &[
    ("logit_scale", "logit_scale", FileLayout::Same),
    (
        "token_embedding.weight",
        "text_model.embeddings.token_embedding.weight",
        FileLayout::Same,
    ),
    (
        "positional_embedding",
        "text_model.embeddings.position_embedding.weight",
        FileLayout::Same,
    ),
    (
        "ln_final.weight",
        "text_model.final_layer_norm.weight",
        FileLayout::Same,
    ),
    (
        "ln_final.bias",
        "text_model.final_layer_norm.bias",
        FileLayout::Same,
    ),
    (
        "text_projection",
        "text_projection.weight",
        FileLayout::Transposed,
    ),
    (
        "visual.class_embedding",
        "vision_model.embeddings.class_embedding",
        FileLayout::Same,
    ),
    (
        "visual.conv1.weight",
        "vision_model.embeddings.patch_embedding.weight",
        FileLayout::Same,
    ),
    (
        "visual.positional_embedding",
        "vision_model.embeddings.position_embedding.weight",
        FileLayout::Same,
    ),
    (
        "visual.ln_pre.weight",
        "vision_model.pre_layrnorm.weight",
        FileLayout::Same,
    ),
    (
        "visual.ln_pre.bias",
        "vision_model.pre_layrnorm.bias",
        FileLayout::Same,
    ),
    (
        "visual.ln_post.weight",
        "vision_model.post_layernorm.weight",
        FileLayout::Same,
    ),
    (
        "visual.ln_post.bias",
        "vision_model.post_layernorm.bias",
        FileLayout::Same,
    ),
    (
        "visual.proj",
        "visual_projection.weight",
        FileLayout::Transposed,
    ),
];

/// Where OpenCLIP's blocks stand, and where Hugging Face's do.
const OPEN_CLIP_TOWERS: &[(&str, &str)] = &[
    ("transformer.resblocks.", "text_model.encoder.layers."),
    (
        "visual.transformer.resblocks.",
        "vision_model.encoder.layers.",
    ),
];

/// Inside a block.
const OPEN_CLIP_BLOCK: &[Rule] = &[
    ("ln_1.weight", "layer_norm1.weight", FileLayout::Same),
    ("ln_1.bias", "layer_norm1.bias", FileLayout::Same),
    (
        "attn.in_proj_weight",
        "self_attn.*_proj.weight",
        FileLayout::Thirds,
    ),
    (
        "attn.in_proj_bias",
        "self_attn.*_proj.bias",
        FileLayout::Thirds,
    ),
    (
        "attn.out_proj.weight",
        "self_attn.out_proj.weight",
        FileLayout::Same,
    ),
    (
        "attn.out_proj.bias",
        "self_attn.out_proj.bias",
        FileLayout::Same,
    ),
    ("ln_2.weight", "layer_norm2.weight", FileLayout::Same),
    ("ln_2.bias", "layer_norm2.bias", FileLayout::Same),
    ("mlp.c_fc.weight", "mlp.fc1.weight", FileLayout::Same),
    ("mlp.c_fc.bias", "mlp.fc1.bias", FileLayout::Same),
    ("mlp.c_proj.weight", "mlp.fc2.weight", FileLayout::Same),
    ("mlp.c_proj.bias", "mlp.fc2.bias", FileLayout::Same),
];

/// What wrappers put in front of every name: a training checkpoint, data-parallel training,
/// compilation, and OpenCLIP's form with an exchangeable text tower.
const WRAPPERS: &[&str] = &["state_dict.", "module.", "_orig_mod.", "text."];

/// Entries that are no weights, though they stand among them.
const NO_WEIGHTS: &[&str] = &[
    "position_ids",
    "input_resolution",
    "context_length",
    "vocab_size",
    "attn_mask",
    "num_batches_tracked",
];

/// The names of the model that an entry of a file holds, in the order of its rows, and how its
/// values stand. A name that no scheme knows stands for itself.
pub fn meaning(name: &str) -> (Vec<String>, FileLayout) {
    let bare = unwrapped(name);
    for &(from, to, layout) in OPEN_CLIP {
        if bare == from {
            return (vec![to.to_owned()], layout);
        }
    }
    for (from, to) in OPEN_CLIP_TOWERS {
        let Some((number, part)) = bare.strip_prefix(from).and_then(|r| r.split_once('.')) else {
            continue;
        };
        for &(block_from, block_to, layout) in OPEN_CLIP_BLOCK {
            if part == block_from {
                let target = format!("{to}{number}.{block_to}");
                let targets = match layout {
                    FileLayout::Thirds => ["q", "k", "v"].map(|p| target.replace('*', p)).to_vec(),
                    FileLayout::Same | FileLayout::Transposed => vec![target],
                };
                return (targets, layout);
            }
        }
    }
    (vec![bare.to_owned()], FileLayout::Same)
}

/// The parts of a CLIP: the beginnings of every name in one of its towers.
const TOWERS: &[&str] = &[
    "text_model.",
    "vision_model.",
    "text_projection",
    "visual_projection",
    "visual.",
    "transformer.",
    "token_embedding.",
    "positional_embedding",
    "ln_final.",
];

/// Whether a name belongs to one of the towers, known or not.
pub fn in_tower(name: &str) -> bool {
    let bare = unwrapped(name);
    TOWERS.iter().any(|tower| bare.starts_with(tower))
}

/// A name without what wrappers put in front of it.
fn unwrapped(name: &str) -> &str {
    let mut bare = name;
    while let Some(rest) = WRAPPERS.iter().find_map(|w| bare.strip_prefix(w)) {
        bare = rest;
    }
    bare
}

/// Whether an unknown entry is worth a mention.
pub fn is_weight(name: &str) -> bool {
    !NO_WEIGHTS
        .iter()
        .any(|end| name.rsplit('.').next() == Some(end))
}
