//! What the small files of a folder say of a model, whichever library wrote them.

use serde_json::Value;

use super::manifest::MANIFEST_FILE;
use super::model_folder::ModelFolder;
use crate::clip::config::ClipConfig;
use crate::clip::family::Subject;
use crate::clip::open_clip;
use crate::error::{Error, Kind, Result};
use crate::image::Preprocess;
use crate::tokenize::tokenizer_json;

pub(super) const CONFIG: &str = "config.json";
/// The lists of several files of weights.
const INDEX: &str = "model.safetensors.index.json";
const TORCH_INDEX: &str = "pytorch_model.bin.index.json";
const PREPROCESSOR: &str = "preprocessor_config.json";
/// What transformers 5 writes in its place.
const PROCESSOR: &str = "processor_config.json";
const TOKENIZER: &str = "tokenizer.json";
/// The weights that a converted repository has in place of PyTorch's.
const ONNX: &[&str] = &["onnx/model.onnx", "onnx/vision_model.onnx", "model.onnx"];
/// The list of parts in a repository of sentence-transformers, and where a CLIP mostly is.
const MODULES: &str = "modules.json";
const CLIP_MODULE: &str = "0_CLIPModel";

/// The files of a Hugging Face repository that may hold the weights, best first.
const HUGGING_FACE: &[&str] = &[
    "model.safetensors",
    INDEX,
    "open_clip_model.safetensors",
    "pytorch_model.bin",
    TORCH_INDEX,
];
/// The same for OpenCLIP, whose repositories may have half a model as `model.safetensors`.
const OPEN_CLIP: &[&str] = &[
    "open_clip_model.safetensors",
    "model.safetensors",
    INDEX,
    "open_clip_pytorch_model.bin",
    "open_clip_pytorch_model.pt",
    "model.pt",
];

/// The end of the names of the files that `name` lists, if it is a list of files.
pub(super) fn listed(name: &str) -> Option<&'static str> {
    match name {
        INDEX => Some(".safetensors"),
        TORCH_INDEX => Some(".bin"),
        _ => None,
    }
}

/// What was found.
pub(super) enum Description {
    /// A published checkpoint.
    Checkpoint {
        config: ClipConfig,
        preprocess: Preprocess,
        /// Files that may hold the weights, best first.
        weights: &'static [&'static str],
    },
    /// The manifest of a model as this project packs it.
    Pack(Vec<u8>),
}

impl Description {
    /// Reads the configuration in `folder`.
    ///
    /// # Errors
    /// `config/missing`, `config/invalid`, and those of the folder.
    pub(super) async fn read(folder: &impl ModelFolder) -> Result<Self> {
        let config = folder.small(CONFIG).await?;
        let subject = config.as_deref().map_or(Subject::Other, Subject::of);
        if subject == Subject::Other
            && let Some(manifest) = folder.small(MANIFEST_FILE).await?
        {
            return Ok(Self::Pack(manifest));
        }
        if subject != Subject::Clip
            && let Some(bytes) = folder.small(open_clip::FILE).await?
        {
            let (config, preprocess) = open_clip::read(&bytes)?;
            return Ok(Self::Checkpoint {
                config,
                preprocess,
                weights: OPEN_CLIP,
            });
        }
        match config {
            Some(bytes) if subject != Subject::Other => Ok(Self::Checkpoint {
                config: ClipConfig::from_json(&bytes)?,
                preprocess: preprocessing(folder).await?,
                weights: HUGGING_FACE,
            }),
            _ => Err(no_configuration(folder).await?),
        }
    }
}

async fn preprocessing(folder: &impl ModelFolder) -> Result<Preprocess> {
    if let Some(json) = folder.small(PREPROCESSOR).await? {
        return Preprocess::from_json(&json);
    }
    if let Some(json) = folder.small(PROCESSOR).await?
        && let Some(preprocess) = Preprocess::from_processor(&json)?
    {
        return Ok(preprocess);
    }
    let names = format!("{PREPROCESSOR}, nor a {PROCESSOR} with an image_processor");
    Err(absent(Kind::ConfigMissing, &names))
}

/// The model's `tokenizer.json`, made of `vocab.json` and `merges.txt` if only these are there.
///
/// # Errors
/// `tokenizer/missing`, `tokenizer/invalid`, and those of the folder.
pub(super) async fn tokenizer(folder: &impl ModelFolder) -> Result<Vec<u8>> {
    if let Some(bytes) = folder.small(TOKENIZER).await? {
        return Ok(bytes);
    }
    let vocab = folder.small("vocab.json").await?;
    let merges = folder.small("merges.txt").await?;
    match (vocab, merges) {
        (Some(vocab), Some(merges)) => tokenizer_json(&vocab, &merges),
        _ => Err(absent(
            Kind::TokenizerMissing,
            "tokenizer.json, nor vocab.json and merges.txt",
        )),
    }
}

/// Why no configuration could be found.
async fn no_configuration(folder: &impl ModelFolder) -> Result<Error> {
    let names = format!("{CONFIG}, {} or {MANIFEST_FILE}", open_clip::FILE);
    let Some(modules) = folder.small(MODULES).await? else {
        return Ok(absent(Kind::ConfigMissing, &names));
    };
    let modules: Value = serde_json::from_slice(&modules).unwrap_or_default();
    let is_clip = |part: &&Value| {
        part["type"]
            .as_str()
            .is_some_and(|t| t.ends_with("CLIPModel"))
    };
    let found = modules.as_array().and_then(|all| all.iter().find(is_clip));
    let path = found.and_then(|part| part["path"].as_str());
    let path = path.filter(|path| is_plain(path)).unwrap_or(CLIP_MODULE);
    Ok(Error::new(
        Kind::ConfigMissing,
        format!(
            "The model has no {names}. It is one of sentence-transformers, which keeps a CLIP in the subfolder {path}: load that, for example hf:owner/name/{path}."
        ),
    ))
}

/// Why none of the files `candidates` could be found.
///
/// # Errors
/// Those of the folder.
pub(super) async fn no_weights(folder: &impl ModelFolder, candidates: &[String]) -> Result<Error> {
    let mut onnx = false;
    for name in ONNX {
        onnx = onnx || folder.has(name).await?;
    }
    if !onnx {
        return Ok(absent(Kind::WeightsMissing, &candidates.join(", ")));
    }
    let config = folder.small(CONFIG).await?.unwrap_or_default();
    let config: Value = serde_json::from_slice(&config).unwrap_or_default();
    let origin = config["_name_or_path"].as_str();
    let origin =
        origin.filter(|name| name.split('/').count() == 2 && name.split('/').all(is_plain));
    let origin = origin.map_or(String::new(), |name| format!(", {name}"));
    Ok(Error::new(
        Kind::WeightsMissing,
        format!(
            "The model has only ONNX files, and ONNX is not read; load the repository it was made from{origin}."
        ),
    ))
}

/// Whether a name from a file can be shown as one.
fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    (1..=100).contains(&name.len()) && name.chars().all(plain)
}

/// The refusal of a folder that lacks the file `name`.
pub(super) fn absent(kind: Kind, name: &str) -> Error {
    Error::new(
        kind,
        format!("The model has no {name}. A model directory needs one."),
    )
}
