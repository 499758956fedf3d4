//! PyTorch's own files (`.bin`, `.pt`) from a file system, by the pytorch-reader crate. It reads
//! more kinds than [`TorchStream`](super::TorchStream), which a browser has, but needs to seek.
//!
//! Read are state dictionaries and whole pickled modules in every container that `torch.save` has
//! written. Not read are TorchScript archives, OpenAI's own downloads among them: their pickle
//! holds compiled objects in place of a module's tables, which the crate refuses.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use pytorch_reader::{DType, PytorchError, PytorchReader, Tensor};
use safetensors::Dtype;

use super::convert::Decoder;
use super::header::{Entry, Header, shown};
use super::load::DataHash;
use super::model_folder::WeightSink;
use super::native::{digest, failed};
use super::torch_stream::torchscript;
use crate::error::{Error, Kind, Result};
use crate::quant::HostTensor;

/// Parts of a training checkpoint that are not the model.
const TRAINING: &[&str] = &["optimizer.", "scaler.", "lr_scheduler.", "scheduler."];

/// Gives the tensors in the file at `path` to `feed`, by name.
///
/// # Errors
/// `weights/unsupported-format` for a TorchScript archive, `weights/invalid` for a file that is
/// damaged or not PyTorch's, `io/failed`, and those of the feed.
pub fn read(path: &Path, feed: &mut WeightSink<'_>) -> Result<()> {
    let reader = PytorchReader::new(path).map_err(|error| refused(path, &error))?;
    let tensors: BTreeMap<String, Tensor> = reader
        .into_tensors()
        .into_iter()
        .filter(|(name, _)| !TRAINING.iter().any(|part| name.starts_with(part)))
        .collect();
    let (bytes_of_file, sha256) = digest(path)?;
    let header = header(&tensors);
    feed.expect(&header)?;
    feed.begin(header, DataHash::OfFile)?;
    for tensor in tensors.values().filter(|tensor| tensor.byte_len() > 0) {
        feed.push(&bytes(path, tensor)?)?;
    }
    feed.end_part()?;
    feed.seal(sha256, bytes_of_file);
    Ok(())
}

/// Every tensor of floats in the file at `path`, by name.
///
/// # Errors
/// As [`read`], and `weights/not-finite`.
pub fn tensors(path: &Path) -> Result<BTreeMap<String, HostTensor>> {
    let reader = PytorchReader::new(path).map_err(|error| refused(path, &error))?;
    let mut found = BTreeMap::new();
    for (name, tensor) in reader.into_tensors() {
        // Counters of batches, which are integers, are no weights.
        let Ok(mut decoder) = Decoder::new(&name, dtype(tensor.dtype())) else {
            continue;
        };
        let mut data = Vec::new();
        decoder.push(&bytes(path, &tensor)?, &mut data)?;
        let shape = tensor.shape().to_vec();
        found.insert(name, HostTensor::Float { shape, data });
    }
    Ok(found)
}

fn bytes(path: &Path, tensor: &Tensor) -> Result<Vec<u8>> {
    tensor.read().map_err(|error| {
        if disagrees(&error) {
            damaged(path, &error.to_string())
        } else {
            failed(path, &error)
        }
    })
}

fn header(tensors: &BTreeMap<String, Tensor>) -> Header {
    let entries: Vec<Entry> = tensors
        .iter()
        .map(|(name, tensor)| Entry {
            name: name.clone(),
            dtype: dtype(tensor.dtype()),
            shape: tensor.shape().to_vec(),
            bytes: tensor.byte_len() as u64,
        })
        .collect();
    Header {
        data_bytes: entries.iter().map(|entry| entry.bytes).sum(),
        entries,
        metadata: BTreeMap::new(),
    }
}

fn dtype(dtype: DType) -> Dtype {
    match dtype {
        DType::F64 => Dtype::F64,
        DType::F32 => Dtype::F32,
        DType::F16 => Dtype::F16,
        DType::BF16 => Dtype::BF16,
        DType::I64 => Dtype::I64,
        DType::I32 => Dtype::I32,
        DType::I16 => Dtype::I16,
        DType::I8 => Dtype::I8,
        DType::U64 => Dtype::U64,
        DType::U32 => Dtype::U32,
        DType::U16 => Dtype::U16,
        DType::U8 => Dtype::U8,
        DType::Bool => Dtype::BOOL,
    }
}

fn refused(path: &Path, error: &PytorchError) -> Error {
    let text = error.to_string();
    if text.contains("__torch__") {
        return torchscript();
    }
    match error {
        PytorchError::Io(error) if !disagrees(error) => failed(path, error),
        _ => damaged(path, &text),
    }
}

/// Whether it is the file that is wrong, and not the system that cannot read it.
fn disagrees(error: &std::io::Error) -> bool {
    // An offset from the file itself may be one that no system can seek to.
    matches!(
        error.kind(),
        ErrorKind::InvalidData
            | ErrorKind::UnexpectedEof
            | ErrorKind::InvalidInput
            | ErrorKind::Other
    )
}

fn damaged(path: &Path, why: &str) -> Error {
    Error::new(
        Kind::WeightsInvalid,
        format!(
            "{} cannot be read as a PyTorch checkpoint ({}); download or copy it again.",
            path.display(),
            shown(why)
        ),
    )
}
