//! OpenCLIP's `open_clip_config.json`: sizes, activation, and preprocessing in one file.

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use super::config::ClipConfig;
use super::config_fields::{foreign, invalid_file};
use super::efficientnet::EfficientNetConfig;
use super::family;
use crate::error::Result;
use crate::image::Preprocess;

/// File name in a repository.
pub const FILE: &str = "open_clip_config.json";

#[derive(Deserialize)]
struct Model {
    embed_dim: u64,
    #[serde(default, deserialize_with = "flag")]
    quick_gelu: bool,
    vision_cfg: Vision,
    text_cfg: Text,
}

#[derive(Deserialize)]
struct Vision {
    image_size: Side,
    /// A number for a transformer; a ResNet has four. A tower of timm has none.
    layers: Option<Value>,
    width: Option<u64>,
    patch_size: Option<u64>,
    head_width: Option<u64>,
    mlp_ratio: Option<f64>,
    /// A tower of timm.
    timm_model_name: Option<String>,
    timm_pool: Option<String>,
    timm_proj: Option<String>,
    #[serde(default)]
    timm_proj_bias: bool,
    norm_kwargs: Option<Map<String, Value>>,
    act_kwargs: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
struct Text {
    context_length: Option<u64>,
    vocab_size: Option<u64>,
    width: Option<u64>,
    heads: Option<u64>,
    layers: Option<u64>,
    mlp_ratio: Option<f64>,
    #[serde(default)]
    no_causal_mask: bool,
    norm_kwargs: Option<Map<String, Value>>,
    act_kwargs: Option<Map<String, Value>>,
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
/// the two transformers of CLIP or an EfficientNet-Lite of timm in place of the first.
pub fn read(bytes: &[u8]) -> Result<(ClipConfig, Preprocess)> {
    let bad = |what: &str| invalid_file(FILE, what);
    if bytes.len() > 1 << 20 {
        return Err(bad("is larger than 1 MiB"));
    }
    let root: Map<String, Value> =
        serde_json::from_slice(bytes).map_err(|error| bad(&format!("cannot be read ({error})")))?;
    let model = model_of(&root).ok_or_else(|| bad("has no model_cfg"))?;
    if let Some(family) = family::of_open_clip(model) {
        return Err(foreign(FILE, family));
    }
    let unreadable = |error: serde_json::Error| bad(&format!("cannot be read ({error})"));
    let model: Model = serde_json::from_value(Value::Object(model.clone())).map_err(unreadable)?;
    let preprocess: Option<Views> = match root.get("preprocess_cfg") {
        Some(views) => serde_json::from_value(views.clone()).map_err(unreadable)?,
        None => None,
    };
    let (vision, text) = (model.vision_cfg, model.text_cfg);
    let image = match vision.image_size {
        Side::One(side) => side,
        Side::Two([height, width]) if height == width => height,
        Side::Two(_) => return Err(bad("asks for images that are not square")),
    };
    for settings in [&vision.act_kwargs, &text.act_kwargs].into_iter().flatten() {
        let exact = |(key, value): (&String, &Value)| key == "approximate" && value == "none";
        if !settings.iter().all(exact) {
            return Err(bad("has act_kwargs other than those of the exact GELU"));
        }
    }
    let text_width = text.width.unwrap_or(512);
    let act = match model.quick_gelu {
        true => "quick_gelu",
        false => "gelu",
    };
    let config = json!({
        "model_type": "clip",
        "projection_dim": model.embed_dim,
        "vision_config": vision_config(&vision, image, act)?,
        "text_config": {
            "hidden_size": text_width, "num_hidden_layers": text.layers.unwrap_or(12),
            "num_attention_heads": text.heads.unwrap_or(8),
            "intermediate_size": hidden(text_width, text.mlp_ratio),
            "max_position_embeddings": text.context_length.unwrap_or(77),
            "vocab_size": text.vocab_size.unwrap_or(49408),
            "hidden_act": act, "causal": !text.no_causal_mask,
            "layer_norm_eps": norm_eps(text.norm_kwargs.as_ref())?,
        },
    });
    let config = ClipConfig::from_json(config.to_string().as_bytes())?;
    let preprocess = views(preprocess, image)?;
    Ok((config, preprocess))
}

/// The model in the file: in `model_cfg`, or the file itself, as some were published at first.
fn model_of(root: &Map<String, Value>) -> Option<&Map<String, Value>> {
    match root.get("model_cfg") {
        Some(model) => model.as_object(),
        None => (root.contains_key("embed_dim") && root.contains_key("vision_cfg")).then_some(root),
    }
}

/// True, also if it is written as a text: "TRUE".
fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Flag {
        Plain(bool),
        Text(String),
        Absent(()),
    }
    match Flag::deserialize(deserializer)? {
        Flag::Plain(flag) => Ok(flag),
        Flag::Text(text) if text.eq_ignore_ascii_case("true") => Ok(true),
        // Python takes every text for true, "false" too: what its author meant is not known.
        Flag::Text(text) => Err(serde::de::Error::custom(format!("{text:?} is no switch"))),
        Flag::Absent(()) => Ok(false),
    }
}

/// What `norm_kwargs` says is added to the variance; `None` without one.
fn norm_eps(settings: Option<&Map<String, Value>>) -> Result<Option<&Value>> {
    let Some(settings) = settings else {
        return Ok(None);
    };
    if settings.keys().any(|key| key != "eps") {
        return Err(invalid_file(FILE, "has norm_kwargs other than eps"));
    }
    Ok(settings.get("eps"))
}

/// Hidden columns of an MLP.
fn hidden(width: u64, ratio: Option<f64>) -> u64 {
    (width as f64 * ratio.unwrap_or(4.0)) as u64
}

/// The `vision_config` of a `config.json`.
fn vision_config(vision: &Vision, image: u64, act: &str) -> Result<Value> {
    let bad = |what: &str| invalid_file(FILE, what);
    if let Some(name) = &vision.timm_model_name {
        let fits = |given: &Option<String>, known: &str| given.as_deref() == Some(known);
        if !fits(&vision.timm_pool, "avg") || !fits(&vision.timm_proj, "linear") {
            return Err(bad(
                "asks for other than average pooling and a linear projection over a tower of timm; only these are supported",
            ));
        }
        // A wrong name is to be told as one of this file.
        EfficientNetConfig::new(FILE, name, 1, false)?;
        return Ok(json!({
            "timm_model_name": name, "timm_proj_bias": vision.timm_proj_bias, "image_size": image,
        }));
    }
    let layers = vision.layers.as_ref().and_then(Value::as_u64);
    let Some((layers, width)) = layers.zip(vision.width) else {
        return Err(bad(
            "describes a ResNet; only vision transformers and timm's EfficientNet-Lite are supported",
        ));
    };
    let head = vision.head_width.unwrap_or(64);
    if head == 0 || width % head != 0 {
        return Err(bad(
            "divides the vision width by heads, which leaves a rest",
        ));
    }
    Ok(json!({
        "hidden_size": width, "num_hidden_layers": layers,
        "num_attention_heads": width / head,
        "intermediate_size": hidden(width, vision.mlp_ratio),
        "image_size": image, "patch_size": vision.patch_size.unwrap_or(16),
        "hidden_act": act, "layer_norm_eps": norm_eps(vision.norm_kwargs.as_ref())?,
    }))
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
