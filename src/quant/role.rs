//! What a tensor is for, which decides how it is stored.

/// How a tensor is used, which decides how it may be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The matrix of a linear layer, one row per output. The patch convolution counts as one with
    /// `3 * patch * patch` inputs.
    Linear,
    /// A table of which single rows are read.
    Embedding,
    /// The kernels of a convolution that is no matrix product: 16-bit floats if a model is
    /// quantized at all.
    Kernel,
    /// Small and sensitive: kept as 32-bit floats.
    Float,
}
