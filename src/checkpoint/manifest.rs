//! `manifest.json` of a packed model: what the model is, how each tensor is stored, and the chunks
//! that hold the data. docs/reference/packed-format.md describes it for other readers.

use std::collections::{BTreeMap, BTreeSet};

use safetensors::Dtype;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::header::{Entry, Header};
use super::quantized_file::{SCALES, Stored, WORDS};
use crate::error::{Error, Kind, Result};
use crate::quant::{Packed, Quantization, Scheme};

/// File name of the manifest.
pub const MANIFEST_FILE: &str = "manifest.json";

const FORMAT: &str = "promptlens-pack";
const VERSION: u32 = 1;
/// The largest manifest that is read.
const MAX_BYTES: usize = 16 << 20;
/// The largest chunk that is read.
const MAX_CHUNK_BYTES: u64 = 64 << 20;
/// The most chunks and tensors.
const MAX_PARTS: usize = 100_000;

/// How the values of a tensor are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Storage {
    /// 32-bit floats.
    F32,
    /// 16-bit floats.
    F16,
    /// 8-bit integers, one f16 scale per 32 columns.
    Q8,
    /// 4-bit integers, one f16 scale per 32 columns.
    Q4,
    /// 8-bit integers, one f16 scale per row.
    Rows8,
}

impl Storage {
    const fn scheme(self) -> Option<Scheme> {
        match self {
            Self::F32 | Self::F16 => None,
            Self::Q8 => Some(Scheme::Blocks8),
            Self::Q4 => Some(Scheme::Blocks4),
            Self::Rows8 => Some(Scheme::Rows8),
        }
    }
}

/// A tensor of the pack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackedTensor {
    /// The Hugging Face name.
    pub name: String,
    /// Dimensions, outermost first; empty for a scalar.
    pub shape: Vec<usize>,
    /// How its values are stored.
    pub stored: Storage,
}

/// A file of the pack, checked by length and hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackedFile {
    /// Name beside the manifest.
    pub file: String,
    /// Length.
    pub bytes: u64,
    /// Lower-case hexadecimal.
    pub sha256: String,
}

/// The weights that the pack was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// SHA-256, lower-case hexadecimal, of the weights file.
    pub sha256: String,
    /// Length of the weights file.
    pub bytes: u64,
    /// Where it was loaded from, and what else a hub said about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Value>,
}

/// The whole of `manifest.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    format: String,
    version: u32,
    /// What was asked for when the pack was made; each tensor says how it is stored.
    #[serde(alias = "quantisation")]
    pub quantization: Quantization,
    /// The weights it was made from.
    pub source: Source,
    /// The model, in the form of a Hugging Face `config.json`.
    pub config: Value,
    /// The preprocessing, in the form of a Hugging Face `preprocessor_config.json`.
    pub preprocessor: Value,
    /// The `tokenizer.json`.
    pub tokenizer: PackedFile,
    /// In the order of their data.
    pub tensors: Vec<PackedTensor>,
    /// In the order of the data.
    pub chunks: Vec<PackedFile>,
}

impl Manifest {
    /// A manifest of these parts.
    pub fn new(
        quantization: Quantization,
        source: Source,
        (config, preprocessor): (Value, Value),
        tokenizer: PackedFile,
        (tensors, chunks): (Vec<PackedTensor>, Vec<PackedFile>),
    ) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            quantization,
            source,
            config,
            preprocessor,
            tokenizer,
            tensors,
            chunks,
        }
    }

    /// Reads and checks `manifest.json`.
    ///
    /// # Errors
    /// `weights/invalid` for what is no sound manifest of this version.
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        if bytes.len() > MAX_BYTES {
            return Err(invalid("is larger than 16 MiB"));
        }
        let manifest: Self =
            serde_json::from_slice(bytes).map_err(|e| invalid(format!("cannot be read ({e})")))?;
        if manifest.format != FORMAT || manifest.version != VERSION {
            return Err(invalid(format!(
                "is not version {VERSION} of the format {FORMAT}; use a newer promptlens or convert the model again"
            )));
        }
        if manifest.tensors.len() > MAX_PARTS || manifest.chunks.len() > MAX_PARTS {
            return Err(invalid("names too many tensors or chunks"));
        }
        if !is_hash(&manifest.source.sha256) {
            return Err(invalid("has no SHA-256 of the source weights"));
        }
        let mut names = BTreeSet::new();
        for file in manifest
            .chunks
            .iter()
            .chain(std::iter::once(&manifest.tokenizer))
        {
            if !is_file_name(&file.file) || !names.insert(&file.file) {
                return Err(invalid("names a file twice, or one that lies elsewhere"));
            }
            if !is_hash(&file.sha256) || file.bytes > MAX_CHUNK_BYTES {
                return Err(invalid("has a file without a SHA-256, or one too large"));
            }
        }
        let header = manifest.header()?;
        let chunks = manifest.chunks.iter().map(|chunk| chunk.bytes).sum::<u64>();
        if header.data_bytes != chunks {
            return Err(invalid("has chunks that do not hold exactly its tensors"));
        }
        Ok(manifest)
    }

    /// The JSON text. Equal manifests give equal bytes.
    ///
    /// # Errors
    /// `engine/internal`.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        serde_json::to_vec_pretty(self)
            .map_err(|error| Error::new(Kind::Internal, error.to_string()))
    }

    /// The tensors as a safetensors header would list them: a packed matrix is its scales and then
    /// its words.
    ///
    /// # Errors
    /// `weights/invalid` for a shape that cannot be.
    pub fn header(&self) -> Result<Header> {
        let mut entries = Vec::new();
        let mut seen = BTreeSet::new();
        for tensor in &self.tensors {
            if !seen.insert(&tensor.name) {
                return Err(invalid("names a tensor twice"));
            }
            for (suffix, dtype, shape) in parts(tensor).ok_or_else(|| {
                invalid(format!(
                    "gives {:.60} the shape {:?}, which cannot be",
                    tensor.name, tensor.shape
                ))
            })? {
                let bytes = byte_len(dtype, &shape)
                    .ok_or_else(|| invalid("names a tensor that is too large"))?;
                entries.push(Entry {
                    name: format!("{}{suffix}", tensor.name),
                    dtype,
                    shape,
                    bytes,
                });
            }
        }
        let data_bytes = entries
            .iter()
            .try_fold(0u64, |sum, entry| sum.checked_add(entry.bytes))
            .ok_or_else(|| invalid("names tensors that are too large"))?;
        let stored = Stored {
            quantization: self.quantization,
            source_sha256: self.source.sha256.clone(),
        };
        Ok(Header {
            entries,
            metadata: BTreeMap::from(stored.metadata()),
            data_bytes,
        })
    }
}

/// The stored pieces of a tensor.
fn parts(tensor: &PackedTensor) -> Option<Vec<(&'static str, Dtype, Vec<usize>)>> {
    let Some(scheme) = tensor.stored.scheme() else {
        let dtype = match tensor.stored {
            Storage::F16 => Dtype::F16,
            _ => Dtype::F32,
        };
        return Some(vec![("", dtype, tensor.shape.clone())]);
    };
    let (&rows, inner) = tensor.shape.split_first()?;
    let cols = inner
        .iter()
        .try_fold(1usize, |product, &side| product.checked_mul(side))
        .filter(|cols| (1..=1 << 30).contains(cols))?;
    let form = Packed::empty(scheme, cols);
    Some(vec![
        (SCALES, Dtype::F16, vec![rows, form.blocks()]),
        (WORDS, Dtype::U32, vec![rows, form.words_per_row()]),
    ])
}

fn byte_len(dtype: Dtype, shape: &[usize]) -> Option<u64> {
    shape
        .iter()
        .try_fold(1u64, |product, &side| product.checked_mul(side as u64))?
        .checked_mul(dtype.bitsize() as u64 / 8)
        .filter(|bytes| *bytes < 1 << 40)
}

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// A name that stays inside the folder on every system.
fn is_file_name(name: &str) -> bool {
    (1..=100).contains(&name.len())
        && !name.starts_with('.')
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}

fn invalid(what: impl AsRef<str>) -> Error {
    Error::new(
        Kind::WeightsInvalid,
        format!("The model's manifest.json {}.", what.as_ref()),
    )
}
