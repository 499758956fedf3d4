//! Quantized matrices and tensors in host memory, on their way from a file to a device.

mod host_tensor;
mod packed;
mod quantization;
mod role;
mod scale;

pub(crate) use packed::reserve;

pub use host_tensor::HostTensor;
pub use packed::{BLOCK, Packed, padded};
pub use quantization::{Quantization, Scheme};
pub use role::Role;
