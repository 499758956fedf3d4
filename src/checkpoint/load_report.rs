//! What loading a checkpoint found, and where its time went.

use serde::Serialize;

use super::header::Header;
use crate::quant::Quantization;

/// What was loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadReport {
    /// Tensors of the model.
    pub tensors: usize,
    /// Tensors outside of the towers that the model does not have (`position_ids` not counted).
    pub ignored: usize,
    /// Bytes of the file.
    pub bytes: u64,
    /// SHA-256 of the file, lower-case hexadecimal.
    pub file_sha256: String,
    /// SHA-256 of the source weights, whatever the quantization: of this file, or of the one that
    /// it was made from.
    pub model_sha256: String,
    /// How the matrices were handed over.
    pub quantization: Quantization,
    /// What the files list, one after the other.
    pub header: Header,
}

/// Where the time of loading went, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct LoadTimes {
    /// SHA-256.
    pub hash: f64,
    /// From bytes to values and to packed values.
    pub quantize: f64,
    /// Into a pack, the hash of its chunks included.
    pub pack: f64,
    /// In the sink: to the device.
    pub sink: f64,
}
