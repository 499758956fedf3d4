//! The model directory that training starts from, and the one that it writes.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use half::f16;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde::Serialize;

use super::checkpoint::{About, Point};
use super::parameters::Layout;
use super::vocabulary;
use crate::checkpoint::{Directory, Loader, ModelFiles, WEIGHTS_FILE};
use crate::clip::config::ClipConfig;
use crate::error::{Error, Kind, Result};
use crate::image::Preprocess;
use crate::quant::Quantization;
use crate::tokenize::ClipTokenizer;

/// The names that a model was trained on, one per line.
pub const NAMES_FILE: &str = "trained.txt";
/// How a model was trained.
pub const TRAINING_FILE: &str = "training.json";

/// What training starts from.
pub struct Start {
    /// The small files of its model.
    pub files: ModelFiles,
    /// Text to ids.
    pub tokenizer: ClipTokenizer,
    /// Where each weight lies.
    pub layout: Layout,
    /// The weights.
    pub values: Vec<f32>,
    /// SHA-256 of the weights file, empty for random weights.
    pub sha256: String,
}

impl Start {
    /// Reads the model in `dir`; with `fresh`, only its sizes, and weights are random from that seed.
    /// Quantized weights will do. With `merges`, the tokenizer keeps only so many and the vocabulary
    /// becomes smaller.
    ///
    /// # Errors
    /// `config/...`, `tokenizer/...`, `weights/...` for what is wrong with the directory.
    pub async fn open(dir: &Path, fresh: Option<u64>, merges: Option<usize>) -> Result<Self> {
        let folder = Directory::open(dir)?;
        let mut files = ModelFiles::read(&folder, None).await?;
        let stored = files.config.clone();
        if let Some(merges) = merges {
            let had = vocabulary::merges(&files.tokenizer);
            files.tokenizer = vocabulary::shorten_tokenizer(&files.tokenizer, merges)?;
            vocabulary::shorten_config(&mut files.config, had, merges);
        }
        let text = &files.config.text;
        let tokenizer =
            ClipTokenizer::from_bytes(&files.tokenizer, text.context_length, text.vocab_size)?;
        let layout = Layout::new(&files.config);
        let (values, sha256) = match fresh {
            Some(seed) => (layout.initial(&files.config, seed), String::new()),
            None => {
                let mut tensors = BTreeMap::new();
                let loader = Loader::new(&stored, Some(Quantization::None));
                let mut keep = |name: &str, tensor| {
                    tensors.insert(name.to_owned(), tensor);
                    Ok(())
                };
                let report = files.load(&folder, loader, &mut keep).await?;
                vocabulary::shorten_embedding(&mut tensors, files.config.text.vocab_size);
                (layout.join(tensors)?, report.file_sha256)
            }
        };
        Ok(Self {
            tokenizer,
            layout,
            values,
            sha256,
            files,
        })
    }

    /// Sizes.
    pub fn config(&self) -> &ClipConfig {
        &self.files.config
    }

    /// Photos to pixels.
    pub fn preprocess(&self) -> &Preprocess {
        &self.files.preprocess
    }
}

/// What is told about a finished or unfinished training in `training.json`.
#[derive(Debug, Clone, Serialize)]
pub struct Training<'a> {
    /// Class names.
    pub train_names: &'a [String],
    /// Names that were held out.
    pub near_ood: &'a [String],
    /// Sentences.
    pub templates: Vec<String>,
    /// Steps taken.
    pub steps: usize,
    /// Photos seen, repetitions counted.
    pub images_seen: usize,
    /// Where all random draws came from.
    pub seed: u64,
    /// The command line.
    pub command: &'a str,
    /// The commit of the program, as far as it is known.
    pub commit: &'a str,
    /// Settings, photos, start.
    pub about: &'a About,
    /// SHA-256 of each data file by its name.
    pub data: BTreeMap<String, String>,
    /// The training curve.
    pub curve: &'a [Point],
}

/// Makes the directory `out`, to which a model that started from `from` can be written.
///
/// # Errors
/// `io/failed` if `out` is `from` or cannot be made.
pub fn check_out(from: &Path, out: &Path) -> Result<()> {
    fs::create_dir_all(out).map_err(|error| failed(out, &error))?;
    if fs::canonicalize(from).ok() == fs::canonicalize(out).ok() {
        return Err(Error::new(
            Kind::Io,
            format!(
                "{} is what training starts from; write the model elsewhere.",
                from.display()
            ),
        ));
    }
    Ok(())
}

fn failed(path: &Path, error: &std::io::Error) -> Error {
    Error::new(Kind::Io, format!("{}: {error}.", path.display()))
}

/// Writes a model in Hugging Face layout to `out`: the small files of `start`, the weights `values` as
/// F32 or, with `half`, F16, `training.json` and the names. The weights appear last.
///
/// # Errors
/// `io/failed`, also if `out` is `from`; `weights/not-finite` for a weight beyond F16.
pub fn export(
    from: &Path,
    out: &Path,
    start: &Start,
    values: &[f32],
    half: bool,
    training: &Training<'_>,
) -> Result<()> {
    check_out(from, out)?;
    let write = |name: &str, bytes: &[u8]| {
        let path = out.join(name);
        fs::write(&path, bytes).map_err(|error| failed(&path, &error))
    };
    write("config.json", &pretty(&start.config().to_json())?)?;
    write(
        "preprocessor_config.json",
        &pretty(&start.preprocess().to_json())?,
    )?;
    write("tokenizer.json", &start.files.tokenizer)?;
    write(TRAINING_FILE, &pretty(training)?)?;
    write(
        NAMES_FILE,
        format!("{}\n", training.train_names.join("\n")).as_bytes(),
    )?;
    let tensors = start
        .layout
        .split(values)
        .into_iter()
        .map(|(name, tensor)| {
            let shape = tensor.shape().to_vec();
            encode(&tensor.into_floats(), half).map(|bytes| (name, shape, bytes))
        })
        .collect::<Result<Vec<_>>>()?;
    let dtype = if half { Dtype::F16 } else { Dtype::F32 };
    let views = tensors
        .iter()
        .map(|(name, shape, bytes)| {
            TensorView::new(dtype, shape.clone(), bytes)
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

fn encode(values: &[f32], half: bool) -> Result<Vec<u8>> {
    if !half {
        return Ok(values.iter().flat_map(|v| v.to_le_bytes()).collect());
    }
    let short: Vec<f16> = values.iter().map(|v| f16::from_f32(*v)).collect();
    if short.iter().any(|v| !v.is_finite()) {
        return Err(Error::new(
            Kind::WeightsNotFinite,
            "A weight is too large for F16; store the model as F32.",
        ));
    }
    Ok(short.iter().flat_map(|v| v.to_le_bytes()).collect())
}
