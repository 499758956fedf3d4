//! Stored numbers to f32, in pieces that may end anywhere.

use half::{bf16, f16};
use safetensors::Dtype;

use super::header::shown;
use crate::error::{Error, Kind, Result};

/// Decodes the elements of one tensor.
#[derive(Debug)]
pub struct Decoder {
    format: Format,
    name: String,
    /// The front of an element whose rest has not come yet.
    carry: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
enum Format {
    F32,
    F16,
    Bf16,
}

impl Format {
    const fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    fn decode(self, element: &[u8]) -> f32 {
        match (self, element) {
            (Self::F32, &[a, b, c, d]) => f32::from_le_bytes([a, b, c, d]),
            (Self::F16, &[a, b]) => f16::from_le_bytes([a, b]).to_f32(),
            (Self::Bf16, &[a, b]) => bf16::from_le_bytes([a, b]).to_f32(),
            _ => f32::NAN,
        }
    }
}

impl Decoder {
    /// A decoder for the tensor `name` of type `dtype`.
    ///
    /// # Errors
    /// `weights/unsupported-type` unless the type is F32, F16 or BF16.
    pub fn new(name: &str, dtype: Dtype) -> Result<Self> {
        let format = match dtype {
            Dtype::F32 => Format::F32,
            Dtype::F16 => Format::F16,
            Dtype::BF16 => Format::Bf16,
            other => return Err(unsupported(name, other)),
        };
        Ok(Self {
            format,
            name: name.to_owned(),
            carry: Vec::with_capacity(4),
        })
    }

    /// Appends to `out` the elements that `bytes` completes.
    ///
    /// # Errors
    /// `weights/not-finite` for NaN or infinity.
    pub fn push(&mut self, mut bytes: &[u8], out: &mut Vec<f32>) -> Result<()> {
        let from = out.len();
        let size = self.format.bytes();
        if !self.carry.is_empty() {
            let count = (size - self.carry.len()).min(bytes.len());
            let (now, later) = bytes.split_at(count);
            self.carry.extend_from_slice(now);
            bytes = later;
            if self.carry.len() == size {
                out.push(self.format.decode(&self.carry));
                self.carry.clear();
            }
        }
        let whole = bytes.chunks_exact(size);
        self.carry.extend_from_slice(whole.remainder());
        out.extend(whole.map(|element| self.format.decode(element)));
        if out[from..].iter().all(|value| value.is_finite()) {
            Ok(())
        } else {
            Err(not_finite(&self.name))
        }
    }
}

pub(super) fn unsupported(name: &str, dtype: Dtype) -> Error {
    Error::new(
        Kind::WeightsUnsupportedType,
        format!(
            "{} is stored as {dtype:?}; save the checkpoint as F32, F16 or BF16.",
            shown(name)
        ),
    )
}

pub(super) fn not_finite(name: &str) -> Error {
    Error::new(
        Kind::WeightsNotFinite,
        format!(
            "{} holds NaN or infinity; the checkpoint is damaged or was saved from a failed training.",
            shown(name)
        ),
    )
}
