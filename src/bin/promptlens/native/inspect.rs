//! `promptlens inspect`.

mod classifier;
mod prompt;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use pollster::block_on;
use promptlens::checkpoint::{
    Directory, Header, Loader, Manifest, Shapes, Source, Stored, Weights, digest, read_header,
};
use promptlens::clip::config::ClipConfig;
use promptlens::clip::efficientnet::FEATURES;
use promptlens::clip::vision_config::VisionConfig;
use promptlens::error::{Error, Kind, Result};
use promptlens::model::check;
use promptlens::prompt::file::FORMAT;
use serde::Serialize;
use serde_json::{Value, json};

use super::output::{Answer, table};

#[derive(Debug, Args)]
pub struct InspectArgs {
    /// A model directory, packed or not, a .safetensors file of weights or a prompt, or a classifier file.
    #[arg(value_name = "PATH")]
    pub path: PathBuf,
}

#[derive(Serialize)]
struct Document {
    /// `model` for a directory, `weights` for a file.
    kind: &'static str,
    path: String,
    architecture: Value,
    /// As a Hugging Face `preprocessor_config.json`.
    preprocessing: Value,
    /// How the matrices are stored.
    quant: Option<&'static str>,
    parameters: Option<u64>,
    tensors: usize,
    bytes: u64,
    sha256: String,
    /// Of the weights that these were made from, whatever the quantization.
    model_sha256: String,
    /// Tensors and bytes by number format.
    types: BTreeMap<String, Size>,
    files: BTreeMap<String, u64>,
    metadata: BTreeMap<String, String>,
    entries: Vec<Tensor>,
    /// Null if the model is not packed.
    pack: Option<Pack>,
}

#[derive(Serialize)]
struct Pack {
    quantization: &'static str,
    /// The same under its older name, which scripts may read.
    quantisation: &'static str,
    chunks: usize,
    source: Source,
    /// Tensors by how they are stored.
    storage: BTreeMap<String, usize>,
}

#[derive(Default, Serialize)]
struct Size {
    tensors: usize,
    bytes: u64,
}

#[derive(Serialize)]
struct Tensor {
    name: String,
    dtype: String,
    shape: Vec<usize>,
    bytes: u64,
}

pub fn run(args: &InspectArgs) -> Result<Answer> {
    let path = args.path.as_path();
    if path.is_file() && classifier::is_classifier(path) {
        return classifier::run(path);
    }
    if path.is_file() && is_prompt(path) {
        return prompt::run(path);
    }
    let document = if path.is_dir() {
        directory(path)?
    } else {
        weights(path)?
    };
    let text = text(&document);
    Answer::new(&document, text, true)
}

/// Whether the file calls itself a prompt.
fn is_prompt(path: &Path) -> bool {
    let header = read_header(path);
    header.is_ok_and(|header| header.metadata.get("format").is_some_and(|f| f == FORMAT))
}

/// A model directory: everything in it is checked, each weight included.
fn directory(dir: &Path) -> Result<Document> {
    let model = check(dir)?;
    let config = &model.config;
    let loader = Loader::new(config, None);
    let folder = Directory::open(dir)?;
    let report = block_on(model.load(&folder, loader, &mut |_, _| Ok(())))?;
    let elements = |spec: &promptlens::clip::tensor_spec::TensorSpec| spec.elements() as u64;
    let pack = match &model.weights {
        Weights::Pack(manifest) => Some(Pack {
            quantization: manifest.quantization.name(),
            quantisation: manifest.quantization.name(),
            chunks: manifest.chunks.len(),
            source: manifest.source.clone(),
            storage: storage(manifest),
        }),
        Weights::Files(_) => None,
    };
    Ok(Document {
        kind: "model",
        path: dir.display().to_string(),
        architecture: architecture(config),
        preprocessing: model.preprocess.to_json(),
        quant: Some(report.quantization.name()),
        parameters: Some(config.tensors().iter().map(elements).sum()),
        tensors: report.tensors,
        bytes: report.header.data_bytes.max(report.bytes),
        sha256: report.file_sha256,
        model_sha256: report.model_sha256,
        types: types(&report.header),
        files: files(dir)?,
        metadata: report.header.metadata.clone(),
        entries: entries(&report.header),
        pack,
    })
}

/// A weights file alone: what its tensors' names and shapes say.
fn weights(path: &Path) -> Result<Document> {
    let header = read_header(path)?;
    let stored = Stored::read(&header)?;
    let (bytes, sha256) = digest(path)?;
    Ok(Document {
        kind: "weights",
        path: path.display().to_string(),
        architecture: json!(Shapes::of(&header)),
        preprocessing: Value::Null,
        quant: stored.as_ref().map(|stored| stored.quantization.name()),
        parameters: None,
        tensors: header.entries.len(),
        bytes,
        model_sha256: stored.map_or_else(|| sha256.clone(), |stored| stored.source_sha256),
        sha256,
        types: types(&header),
        files: BTreeMap::new(),
        metadata: header.metadata.clone(),
        entries: entries(&header),
        pack: None,
    })
}

/// Tensors by how they are stored.
fn storage(manifest: &Manifest) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for tensor in &manifest.tensors {
        let name = format!("{:?}", tensor.stored).to_lowercase();
        *counts.entry(name).or_default() += 1;
    }
    counts
}

fn architecture(config: &ClipConfig) -> Value {
    let text = &config.text;
    let vision = match &config.vision {
        VisionConfig::Vit(vision) => json!({
            "width": vision.width, "layers": vision.layers, "heads": vision.heads,
            "mlp": vision.mlp, "image_size": vision.image_size, "patch_size": vision.patch_size,
            "activation": format!("{:?}", vision.activation),
        }),
        VisionConfig::EfficientNet(vision) => json!({
            "trunk": vision.lite.name(), "image_size": vision.image_size, "grid": vision.grid(),
            "width": FEATURES, "blocks": vision.blocks().len(),
            "projection_bias": vision.projection_bias,
        }),
    };
    json!({
        "family": "clip",
        "projection_dim": config.projection_dim,
        "vision": vision,
        "text": {
            "width": text.width, "layers": text.layers, "heads": text.heads, "mlp": text.mlp,
            "context_length": text.context_length, "vocab_size": text.vocab_size,
            "activation": format!("{:?}", text.activation), "causal": text.causal,
        },
    })
}

fn types(header: &Header) -> BTreeMap<String, Size> {
    let mut types: BTreeMap<String, Size> = BTreeMap::new();
    for entry in &header.entries {
        let size = types.entry(format!("{:?}", entry.dtype)).or_default();
        size.tensors += 1;
        size.bytes = size.bytes.saturating_add(entry.bytes);
    }
    types
}

fn entries(header: &Header) -> Vec<Tensor> {
    header
        .entries
        .iter()
        .map(|entry| Tensor {
            name: entry.name.clone(),
            dtype: format!("{:?}", entry.dtype),
            shape: entry.shape.clone(),
            bytes: entry.bytes,
        })
        .collect()
}

/// Bytes of each file of a model directory.
fn files(dir: &Path) -> Result<BTreeMap<String, u64>> {
    let failed =
        |error: std::io::Error| Error::new(Kind::Io, format!("{}: {error}.", dir.display()));
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let kind = entry.metadata().map_err(failed)?;
        if kind.is_file() {
            files.insert(entry.file_name().to_string_lossy().into_owned(), kind.len());
        }
    }
    Ok(files)
}

fn text(document: &Document) -> String {
    let line = |name: &str, value: String| vec![name.to_owned(), value];
    let mut rows = vec![
        line("path", document.path.clone()),
        line("kind", document.kind.to_owned()),
        line(
            "stored as",
            document.quant.unwrap_or("as trained").to_owned(),
        ),
        line("tensors", document.tensors.to_string()),
        line("bytes", document.bytes.to_string()),
        line("sha256", document.sha256.clone()),
        line("model sha256", document.model_sha256.clone()),
    ];
    if let Some(parameters) = document.parameters {
        rows.push(line("parameters", parameters.to_string()));
    }
    for part in ["vision", "text", "projection_dim"] {
        match document.architecture.get(part) {
            None | Some(Value::Null) => {}
            Some(Value::Object(fields)) => {
                let fields: Vec<String> = fields
                    .iter()
                    .filter(|(_, value)| !value.is_null())
                    .map(|(name, value)| format!("{name} {value}"))
                    .collect();
                rows.push(line(part, fields.join(", ")));
            }
            Some(value) => rows.push(line(part, value.to_string())),
        }
    }
    for (name, size) in &document.types {
        let what = format!("{} tensors, {} bytes", size.tensors, size.bytes);
        rows.push(line(name, what));
    }
    if let Some(pack) = &document.pack {
        let counts = pack.storage.iter().map(|(name, n)| format!("{name} {n}"));
        let counts = counts.collect::<Vec<_>>().join(", ");
        rows.push(line("packed", format!("{} chunks; {counts}", pack.chunks)));
    }
    table(&rows)
}
