//! How a quantized model rests in an ordinary safetensors file.
//!
//! A quantized matrix `NAME` becomes two tensors, the second directly after the first:
//! `NAME.scales`, F16 `[rows, blocks]`, and `NAME.words`, U32 `[rows, words_per_row]`, in the
//! layout of [`Packed`]. Everything else is F32 under its own name. The metadata has
//! `promptlens.quantization` (`none`, `q8`, `q4`), `promptlens.shapes` (JSON: the shape of each
//! quantized matrix before packing) and `promptlens.source_sha256` (of the file that was
//! quantized).

use std::collections::BTreeMap;
use std::io::Write;

use safetensors::Dtype;
use safetensors::tensor::TensorInfo;
use serde_json::{Map, Value};

use super::header::{Header, invalid, shown};
use crate::clip::config::ClipConfig;
use crate::clip::tensor_spec::TensorSpec;
use crate::error::{Error, Kind, Result};
use crate::quant::HostTensor;
use crate::quant::Role;
use crate::quant::{Packed, Quantization, Scheme, padded};

pub(super) const SCALES: &str = ".scales";
pub(super) const WORDS: &str = ".words";
const QUANTIZATION: &str = "promptlens.quantization";
/// The same key in older files.
const QUANTISATION: &str = "promptlens.quantisation";
pub(super) const SHAPES: &str = "promptlens.shapes";
const SOURCE: &str = "promptlens.source_sha256";

/// What a file of this project says in its metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// How the matrices are stored.
    pub quantization: Quantization,
    /// SHA-256, lower-case hexadecimal, of the weights file this one was made from.
    pub source_sha256: String,
}

impl Stored {
    /// The metadata that [`read`](Self::read) understands.
    pub(super) fn metadata(&self) -> [(String, String); 2] {
        [
            (QUANTIZATION.to_owned(), self.quantization.name().to_owned()),
            (SOURCE.to_owned(), self.source_sha256.clone()),
        ]
    }

    /// Reads the metadata; `None` for a file from elsewhere.
    ///
    /// # Errors
    /// `weights/invalid` if it is there and wrong.
    pub fn read(header: &Header) -> Result<Option<Self>> {
        let metadata = &header.metadata;
        let Some(name) = metadata
            .get(QUANTIZATION)
            .or_else(|| metadata.get(QUANTISATION))
        else {
            return Ok(None);
        };
        let quantization = Quantization::parse(name)
            .map_err(|_| invalid("its metadata names no known quantisation"))?;
        let source_sha256 = header
            .metadata
            .get(SOURCE)
            .filter(|hash| hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit()))
            .ok_or_else(|| invalid("its metadata has no SHA-256 of the source"))?
            .to_ascii_lowercase();
        Ok(Some(Self {
            quantization,
            source_sha256,
        }))
    }
}

/// The scheme whose words and scales for `spec` have these shapes.
pub(super) fn scheme_of(spec: &TensorSpec, words: &[usize], scales: &[usize]) -> Option<Scheme> {
    let candidates: &[Scheme] = match spec.role {
        Role::Linear => &[Scheme::Blocks8, Scheme::Blocks4],
        Role::Embedding => &[Scheme::Rows8],
        Role::Float | Role::Kernel => &[],
    };
    let (rows, cols) = spec.matrix();
    candidates.iter().copied().find(|&scheme| {
        let shape = Packed::empty(scheme, cols);
        words == [rows, shape.words_per_row()] && scales == [rows, shape.blocks()]
    })
}

/// Puts a matrix together from the bytes of its two tensors, whose shapes have been checked.
///
/// # Errors
/// `weights/not-finite` for a scale that is NaN or infinite, `weights/invalid` for a negative
/// scale or padding that is not zero.
pub(super) fn unpack(
    spec: &TensorSpec,
    scheme: Scheme,
    scales: &[u8],
    words: &[u8],
) -> Result<Packed> {
    let (rows, cols) = spec.matrix();
    let mut packed = Packed::with_capacity(scheme, rows, cols)?;
    packed.rows = rows;
    packed.scales.extend(
        scales
            .chunks_exact(2)
            .map(|pair| u16::from_le_bytes([pair[0], pair[1]])),
    );
    for &bits in &packed.scales {
        let scale = half::f16::from_bits(bits);
        if !scale.is_finite() {
            return Err(super::convert::not_finite(&spec.name));
        }
        if scale.is_sign_negative() {
            return Err(invalid("a scale is negative"));
        }
    }
    packed.words.extend(
        words
            .chunks_exact(4)
            .map(|quad| u32::from_le_bytes([quad[0], quad[1], quad[2], quad[3]])),
    );
    let padding = padded(cols) - cols;
    if padding > 0 {
        let per_word = 32 / usize::from(packed.bits);
        let bits = usize::from(packed.bits);
        let clean = packed
            .words
            .chunks_exact(packed.words_per_row())
            .all(|row| {
                (cols..cols + padding).all(|column| {
                    let lane = row[column / per_word] >> (column % per_word * bits);
                    lane & (u32::MAX >> (32 - bits)) == 0
                })
            });
        if !clean {
            return Err(invalid("padding of a packed matrix is not zero"));
        }
    }
    Ok(packed)
}

/// Writes `tensors` as one safetensors file; returns its length in bytes.
///
/// `tensors` must be the complete model of `config`, by Hugging Face name; `source_sha256` is the
/// lower-case hexadecimal SHA-256 of the weights they came from. Equal input gives equal bytes.
///
/// # Errors
/// `weights/missing-tensor` if one is absent, `io/failed` if `out` fails.
pub fn write_model(
    config: &ClipConfig,
    quantization: Quantization,
    source_sha256: &str,
    tensors: &BTreeMap<String, HostTensor>,
    out: &mut impl Write,
) -> Result<u64> {
    let mut layout = Layout::default();
    let mut shapes = Map::new();
    let mut ordered = Vec::new();
    for spec in config.tensors() {
        let tensor = tensors
            .get(&spec.name)
            .ok_or_else(|| missing(&[spec.name.as_str()]))?;
        match tensor {
            HostTensor::Float { shape, data } => {
                layout.add(spec.name, Dtype::F32, shape.clone(), data.len() * 4)?;
            }
            HostTensor::Packed { shape, packed } => {
                let (words, scales) = (packed.words_per_row(), packed.blocks());
                layout.add(
                    format!("{}{SCALES}", spec.name),
                    Dtype::F16,
                    vec![packed.rows, scales],
                    packed.scales.len() * 2,
                )?;
                layout.add(
                    format!("{}{WORDS}", spec.name),
                    Dtype::U32,
                    vec![packed.rows, words],
                    packed.words.len() * 4,
                )?;
                shapes.insert(spec.name, Value::from(shape.clone()));
            }
        }
        ordered.push(tensor);
    }
    let stored = Stored {
        quantization,
        source_sha256: source_sha256.to_owned(),
    };
    let mut metadata = BTreeMap::from(stored.metadata());
    metadata.insert("format".to_owned(), "promptlens".to_owned());
    metadata.insert(SHAPES.to_owned(), Value::from(shapes).to_string());
    let header = layout.header(&metadata)?;
    let failed = |error: std::io::Error| {
        Error::new(
            Kind::Io,
            format!("The weights file could not be written ({error})."),
        )
    };
    out.write_all(&(header.len() as u64).to_le_bytes())
        .and_then(|()| out.write_all(&header))
        .map_err(failed)?;
    for tensor in ordered {
        write_values(tensor, out).map_err(failed)?;
    }
    out.flush().map_err(failed)?;
    Ok((8 + header.len() + layout.end) as u64)
}

/// "This model lacks ..." for the tensors that a configuration calls for.
pub(super) fn missing(names: &[&str]) -> Error {
    Error::new(
        Kind::WeightsMissingTensor,
        format!(
            "The weights file lacks {}; use the weights that belong to this config.json, with the names of Hugging Face or OpenCLIP.",
            few(names)
        ),
    )
}

/// The first of `names`, and how many follow.
pub(super) fn few(names: &[&str]) -> String {
    const SHOWN: usize = 3;
    let rest = match names.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| shown(name)).collect();
    format!("{}{rest}", shown.join(", "))
}

/// Places tensors one after the other.
#[derive(Default)]
struct Layout {
    header: Map<String, Value>,
    end: usize,
}

impl Layout {
    fn add(&mut self, name: String, dtype: Dtype, shape: Vec<usize>, bytes: usize) -> Result<()> {
        let info = TensorInfo {
            dtype,
            shape,
            data_offsets: (self.end, self.end + bytes),
        };
        self.end += bytes;
        self.header.insert(name, json(&info)?);
        Ok(())
    }

    /// The header's JSON, padded with spaces so that the data starts at a multiple of 8 bytes.
    fn header(&mut self, metadata: &BTreeMap<String, String>) -> Result<Vec<u8>> {
        self.header
            .insert("__metadata__".to_owned(), json(metadata)?);
        let mut bytes = Value::from(std::mem::take(&mut self.header)).to_string();
        while bytes.len() % 8 != 0 {
            bytes.push(' ');
        }
        Ok(bytes.into_bytes())
    }
}

fn json(value: &impl serde::Serialize) -> Result<Value> {
    serde_json::to_value(value).map_err(|error| Error::new(Kind::Internal, error.to_string()))
}

pub(super) fn write_values(tensor: &HostTensor, out: &mut impl Write) -> std::io::Result<()> {
    const CHUNK: usize = 1 << 14;
    match tensor {
        HostTensor::Float { data, .. } => data.chunks(CHUNK).try_for_each(|chunk| {
            out.write_all(
                &chunk
                    .iter()
                    .flat_map(|v| v.to_le_bytes())
                    .collect::<Vec<_>>(),
            )
        }),
        HostTensor::Packed { packed, .. } => {
            for chunk in packed.scales.chunks(CHUNK) {
                out.write_all(
                    &chunk
                        .iter()
                        .flat_map(|v| v.to_le_bytes())
                        .collect::<Vec<_>>(),
                )?;
            }
            packed.words.chunks(CHUNK).try_for_each(|chunk| {
                out.write_all(
                    &chunk
                        .iter()
                        .flat_map(|v| v.to_le_bytes())
                        .collect::<Vec<_>>(),
                )
            })
        }
    }
}
