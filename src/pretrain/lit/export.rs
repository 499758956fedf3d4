//! The finished model as an OpenCLIP directory.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde::Serialize;
use serde_json::{Value, json};

use super::project_stage::{Calibration, ProjectModel};
use super::text_stage::TextModel;
use crate::checkpoint::{Backbone, WEIGHTS_FILE};
use crate::clip::open_clip;
use crate::error::{Error, Kind, Result};
use crate::pretrain::model::{NAMES_FILE, TRAINING_FILE};
use crate::tokenize::{KnownWords, known_words};

/// What `training.json` says.
#[derive(Debug, Clone, Serialize)]
pub struct Training<'a> {
    /// Names with photos.
    pub train_names: &'a [String],
    /// Names that were withheld.
    pub near_ood: &'a [String],
    /// Where all random draws came from.
    pub seed: u64,
    /// The command line.
    pub command: &'a str,
    /// The commit of the program, as far as it is known.
    pub commit: &'a str,
    /// Settings of every stage.
    pub settings: &'a Value,
    /// SHA-256 of each data file by its name.
    pub data: &'a BTreeMap<String, String>,
    /// How well percentages fit.
    pub calibration: Calibration,
}

fn failed(path: &Path, error: &std::io::Error) -> Error {
    Error::new(Kind::Io, format!("{}: {error}.", path.display()))
}

/// Writes the model to `out`: `open_clip_config.json`, `tokenizer.json`, `training.json`, the known
/// names, the words that the text tower has read, and the weights, which appear last. `side` is the side of the
/// encoder's input.
///
/// # Errors
/// `io/failed`.
pub fn export(
    out: &Path,
    encoder: &Backbone,
    side: u32,
    text: &TextModel,
    project: &ProjectModel,
    words: &KnownWords,
    training: &Training<'_>,
) -> Result<()> {
    fs::create_dir_all(out).map_err(|error| failed(out, &error))?;
    let write = |name: &str, bytes: &[u8]| {
        let path = out.join(name);
        fs::write(&path, bytes).map_err(|error| failed(&path, &error))
    };
    write(open_clip::FILE, &pretty(&config(encoder, side, text))?)?;
    write("tokenizer.json", &text.tokenizer_json)?;
    write(TRAINING_FILE, &pretty(training)?)?;
    write(
        NAMES_FILE,
        format!("{}\n", training.train_names.join("\n")).as_bytes(),
    )?;
    let words = words.to_bytes().map_err(|error| failed(out, &error))?;
    write(known_words::FILE, &words)?;
    let tensors = tensors(encoder, text, project);
    let bytes: Vec<(&String, &Vec<usize>, Vec<u8>)> = tensors
        .iter()
        .map(|(name, weight)| {
            let bytes = weight.data.iter().flat_map(|v| v.to_le_bytes()).collect();
            (name, &weight.shape, bytes)
        })
        .collect();
    let views = bytes
        .iter()
        .map(|(name, shape, bytes)| {
            TensorView::new(Dtype::F32, (*shape).clone(), bytes)
                .map(|view| (name.as_str(), view))
                .map_err(|error| Error::new(Kind::Internal, error.to_string()))
        })
        .collect::<Result<Vec<_>>>()?;
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let file = safetensors::serialize(views, Some(metadata))
        .map_err(|error| Error::new(Kind::Internal, error.to_string()))?;
    let unfinished = format!("{WEIGHTS_FILE}.part");
    write(&unfinished, &file)?;
    let finished = out.join(WEIGHTS_FILE);
    fs::rename(out.join(unfinished), &finished).map_err(|error| failed(&finished, &error))
}

fn pretty(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec_pretty(value).map_err(|error| Error::new(Kind::Internal, error.to_string()))
}

/// `open_clip_config.json`: pixels become (x - 127) / 128, as the encoder wants them.
fn config(encoder: &Backbone, side: u32, text: &TextModel) -> Value {
    let sizes = text.layout.sizes;
    json!({
        "model_cfg": {
            "embed_dim": sizes.out,
            "quick_gelu": true,
            "vision_cfg": {
                "timm_model_name": encoder.lite.name(),
                "timm_model_pretrained": false,
                "timm_pool": "avg",
                "timm_proj": "linear",
                "timm_proj_bias": true,
                "image_size": side,
            },
            "text_cfg": {
                "context_length": sizes.context_length,
                "vocab_size": sizes.vocabulary,
                "width": sizes.width,
                "heads": sizes.heads,
                "layers": sizes.layers,
            },
        },
        "preprocess_cfg": {
            "mean": [127.0 / 255.0, 127.0 / 255.0, 127.0 / 255.0],
            "std": [128.0 / 255.0, 128.0 / 255.0, 128.0 / 255.0],
            "interpolation": "bicubic",
            "resize_mode": "shortest",
        },
    })
}

/// A tensor of the file.
struct Weight {
    shape: Vec<usize>,
    data: Vec<f32>,
}

fn tensors(
    encoder: &Backbone,
    text: &TextModel,
    project: &ProjectModel,
) -> BTreeMap<String, Weight> {
    let mut found = BTreeMap::new();
    for (name, tensor) in &encoder.tensors {
        let shape = tensor.shape().to_vec();
        let data = tensor.clone().into_floats();
        found.insert(name.clone(), Weight { shape, data });
    }
    for leaf in &text.layout.leaves {
        found.insert(
            leaf.name.clone(),
            Weight {
                shape: leaf.shape.clone(),
                data: text.values[leaf.range.clone()].to_vec(),
            },
        );
    }
    let (map, values) = (project.map, &project.values);
    let mut put = |name: &str, shape: Vec<usize>, data: &[f32]| {
        let data = data.to_vec();
        found.insert(name.to_owned(), Weight { shape, data });
    };
    let (matrix, rest) = values.split_at(map.matrix());
    put("visual.head.proj.weight", vec![map.to, map.from], matrix);
    put("visual.head.proj.bias", vec![map.to], &rest[..map.to]);
    put("logit_scale", Vec::new(), &rest[map.to..]);
    found
}
