//! Quantized matrices and tensors in host memory, on their way from a file to a device.

mod host_tensor;
mod packed;
mod role;

pub(crate) use packed::reserve;

pub use host_tensor::HostTensor;
pub use packed::{BLOCK, Packed, Quantization, Scheme, padded};
pub use role::Role;
