//! A CLIP with random weights and an EfficientNet-Lite0, in the files that OpenCLIP writes.

use std::collections::BTreeMap;
use std::path::Path;

use promptlens::clip::config::ClipConfig;
use promptlens::clip::open_clip;
use promptlens::clip::tensor_spec::TensorSpec;
use promptlens::rng::Rng;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};

use crate::common::shared;

/// Columns of the joint space.
pub const DIM: usize = 24;
pub const SIDE: usize = 96;

/// What OpenCLIP writes beside the weights.
pub fn description() -> Value {
    json!({
        "model_cfg": {
            "embed_dim": DIM,
            "vision_cfg": {
                "timm_model_name": "tf_efficientnet_lite0", "timm_model_pretrained": false,
                "timm_pool": "avg", "timm_proj": "linear", "timm_proj_bias": true,
                "image_size": SIDE,
            },
            "text_cfg": {
                "context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1,
            },
        },
        "preprocess_cfg": {
            "mean": [0.498, 0.498, 0.498], "std": [0.502, 0.502, 0.502],
            "interpolation": "bicubic", "resize_mode": "shortest",
        },
    })
}

pub fn config() -> ClipConfig {
    let bytes = description().to_string();
    open_clip::read(bytes.as_bytes())
        .expect("OpenCLIP's file")
        .0
}

/// Values of a tensor that keep activations in the range of a trained model's.
fn values(spec: &TensorSpec, rng: &mut Rng) -> Vec<f32> {
    let (rows, inputs) = spec.matrix();
    let mut draw = |mean: f64, deviation: f64| (mean + deviation * rng.normal()) as f32;
    let mut fill = |mean, deviation| {
        (0..spec.elements())
            .map(|_| draw(mean, deviation))
            .collect()
    };
    let norm = spec.name.contains(".bn") || spec.name.contains("norm");
    if spec.name == "logit_scale" {
        vec![3.0]
    } else if spec.name.ends_with("running_var") {
        let values: Vec<f32> = fill(1.0, 0.2);
        values.into_iter().map(|v| v.abs() + 0.1).collect()
    } else if norm && spec.name.ends_with(".weight") {
        fill(1.0, 0.2)
    } else if inputs == 1 && rows == spec.elements() {
        fill(0.0, 0.2)
    } else {
        fill(0.0, (1.5 / inputs as f64).sqrt())
    }
}

/// The tensors by the names inside promptlens, the image tower's with batch norms.
pub fn tensors(config: &ClipConfig) -> BTreeMap<String, (Vec<usize>, Vec<f32>)> {
    let specs = config.unfolded().expect("a tower with batch norms");
    specs
        .into_iter()
        .enumerate()
        .map(|(index, spec)| {
            let values = values(&spec, &mut Rng::derive(5, index as u64));
            (spec.name, (spec.shape, values))
        })
        .collect()
}

pub fn write_weights(path: &Path, tensors: &BTreeMap<String, (Vec<usize>, Vec<f32>)>) {
    let bytes: Vec<(String, Vec<usize>, Vec<u8>)> = tensors
        .iter()
        .map(|(name, (shape, values))| {
            let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            (name.clone(), shape.clone(), bytes)
        })
        .collect();
    let views = bytes.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes).expect("a tensor");
        (name.clone(), view)
    });
    safetensors::serialize_to_file(views, None, path).expect("the weights are written");
}

/// Writes the model to `folder`; false where there is no tokenizer for it.
pub fn write(folder: &Path) -> bool {
    let Some(tokenizer) = shared("fixtures/tokenizer/tokenizer.json") else {
        return false;
    };
    std::fs::copy(tokenizer, folder.join("tokenizer.json")).expect("a tokenizer");
    let written = description().to_string();
    std::fs::write(folder.join("open_clip_config.json"), written).expect("a configuration");
    let weights = folder.join("open_clip_model.safetensors");
    write_weights(&weights, &tensors(&config()));
    true
}
