//! OpenCLIP's `open_clip_config.json`: sizes, activation, and preprocessing in one file.

use serde::Deserialize;
use serde_json::{Value, json};

use super::config::{ClipConfig, invalid_file};
use crate::error::Result;
use crate::image::Preprocess;

/// File name in a repository.
pub const FILE: &str = "open_clip_config.json";

#[derive(Deserialize)]
struct File {
    model_cfg: Model,
    preprocess_cfg: Option<Views>,
}

#[derive(Deserialize)]
struct Model {
    embed_dim: u64,
    #[serde(default)]
    quick_gelu: bool,
    vision_cfg: Vision,
    text_cfg: Text,
}

#[derive(Deserialize)]
struct Vision {
    image_size: Side,
    /// A number for a transformer; a ResNet has four.
    layers: Value,
    width: u64,
    patch_size: Option<u64>,
    head_width: Option<u64>,
    mlp_ratio: Option<f64>,
    /// A tower of another library.
    timm_model_name: Option<String>,
    #[serde(default)]
    attentional_pool: bool,
    #[serde(default)]
    no_ln_pre: bool,
    pool_type: Option<String>,
}

#[derive(Deserialize)]
struct Text {
    context_length: Option<u64>,
    vocab_size: Option<u64>,
    width: Option<u64>,
    heads: Option<u64>,
    layers: Option<u64>,
    mlp_ratio: Option<f64>,
    /// A tower of another library.
    hf_model_name: Option<String>,
    #[serde(default)]
    no_causal_mask: bool,
    #[serde(default)]
    embed_cls: bool,
    pool_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Side {
    One(u64),
    Two([u64; 2]),
}

#[derive(Deserialize)]
struct Views {
    mean: Option<Vec<f64>>,
    std: Option<Vec<f64>>,
    interpolation: Option<String>,
    resize_mode: Option<String>,
}

/// Reads `open_clip_config.json`. What the file leaves out has OpenCLIP's own default: exact GELU,
/// heads of 64 columns, four times as many hidden columns, OpenAI's preprocessing.
///
/// # Errors
/// `config/invalid` if the bytes are not such a file, or describe a model with other parts than
/// the two transformers of CLIP.
pub fn read(bytes: &[u8]) -> Result<(ClipConfig, Preprocess)> {
    let bad = |what: &str| invalid_file(FILE, what);
    if bytes.len() > 1 << 20 {
        return Err(bad("is larger than 1 MiB"));
    }
    let file: File =
        serde_json::from_slice(bytes).map_err(|error| bad(&format!("cannot be read ({error})")))?;
    let (vision, text) = (file.model_cfg.vision_cfg, file.model_cfg.text_cfg);
    let Some(layers) = vision.layers.as_u64() else {
        return Err(bad(
            "describes a ResNet; only vision transformers are supported",
        ));
    };
    let pooled = |pool: &Option<String>, plain: &str| pool.as_deref().is_none_or(|p| p == plain);
    if vision.timm_model_name.is_some()
        || text.hf_model_name.is_some()
        || vision.attentional_pool
        || vision.no_ln_pre
        || text.embed_cls
        || !pooled(&vision.pool_type, "tok")
        || !pooled(&text.pool_type, "argmax")
    {
        return Err(bad(
            "describes towers with other parts than CLIP's; only the standard CLIP transformer is supported",
        ));
    }
    let image = match vision.image_size {
        Side::One(side) => side,
        Side::Two([height, width]) if height == width => height,
        Side::Two(_) => return Err(bad("asks for images that are not square")),
    };
    let head = vision.head_width.unwrap_or(64);
    if head == 0 || vision.width % head != 0 {
        return Err(bad(
            "divides the vision width by heads, which leaves a rest",
        ));
    }
    let hidden = |width: u64, ratio: Option<f64>| (width as f64 * ratio.unwrap_or(4.0)) as u64;
    let text_width = text.width.unwrap_or(512);
    let act = match file.model_cfg.quick_gelu {
        true => "quick_gelu",
        false => "gelu",
    };
    let config = json!({
        "model_type": "clip",
        "projection_dim": file.model_cfg.embed_dim,
        "vision_config": {
            "hidden_size": vision.width, "num_hidden_layers": layers,
            "num_attention_heads": vision.width / head,
            "intermediate_size": hidden(vision.width, vision.mlp_ratio),
            "image_size": image, "patch_size": vision.patch_size.unwrap_or(16),
            "hidden_act": act,
        },
        "text_config": {
            "hidden_size": text_width, "num_hidden_layers": text.layers.unwrap_or(12),
            "num_attention_heads": text.heads.unwrap_or(8),
            "intermediate_size": hidden(text_width, text.mlp_ratio),
            "max_position_embeddings": text.context_length.unwrap_or(77),
            "vocab_size": text.vocab_size.unwrap_or(49408),
            "hidden_act": act, "causal": !text.no_causal_mask,
        },
    });
    let config = ClipConfig::from_json(config.to_string().as_bytes())?;
    let preprocess = views(file.preprocess_cfg, image)?;
    Ok((config, preprocess))
}

fn views(views: Option<Views>, image: u64) -> Result<Preprocess> {
    let bad = |what: &str| invalid_file(FILE, what);
    let views = views.unwrap_or(Views {
        mean: None,
        std: None,
        interpolation: None,
        resize_mode: None,
    });
    let size = match views.resize_mode.as_deref() {
        None | Some("shortest") => json!({"shortest_edge": image}),
        Some("squash") => json!({"width": image, "height": image}),
        Some(_) => return Err(bad("has a resize_mode other than shortest and squash")),
    };
    let resample = match views.interpolation.as_deref() {
        None | Some("bicubic") => 3,
        Some("bilinear") => 2,
        Some(_) => return Err(bad("has an interpolation other than bicubic and bilinear")),
    };
    let written = json!({
        "size": size, "crop_size": {"width": image, "height": image}, "resample": resample,
        "image_mean": views.mean, "image_std": views.std,
    });
    Preprocess::from_json(written.to_string().as_bytes())
}
