//! A tensor in host memory, on its way from a file to the device.

use super::packed::Packed;

/// A tensor as the model wants it.
#[derive(Debug, Clone, PartialEq)]
pub enum HostTensor {
    /// Plain values.
    Float {
        /// Dimensions, outermost first; empty for a scalar.
        shape: Vec<usize>,
        /// Row-major values, all finite.
        data: Vec<f32>,
    },
    /// A quantized matrix.
    Packed {
        /// Dimensions before it was seen as a matrix: `[rows, ...]` with `cols` as the product of
        /// the rest.
        shape: Vec<usize>,
        /// The matrix.
        packed: Packed,
    },
}

impl HostTensor {
    /// Dimensions, outermost first; empty for a scalar.
    pub fn shape(&self) -> &[usize] {
        match self {
            Self::Float { shape, .. } | Self::Packed { shape, .. } => shape,
        }
    }

    /// Bytes of its values.
    pub fn byte_len(&self) -> usize {
        match self {
            Self::Float { data, .. } => data.len() * 4,
            Self::Packed { packed, .. } => packed.byte_len(),
        }
    }

    /// Row-major values, all finite; a quantized matrix is dequantized.
    pub fn into_floats(self) -> Vec<f32> {
        match self {
            Self::Float { data, .. } => data,
            Self::Packed { packed, .. } => packed.dequantize(),
        }
    }
}
