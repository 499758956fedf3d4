//! The Rust side of `shaders/`: the frozen layers of a CLIP as values that hold their weights where
//! they are used, packed on a GPU and as f32 on the CPU backend.
//!
//! [`Linear`], [`LayerNorm`] and [`attention`] are one interface over two implementations: this
//! crate's WGSL on a wgpu device, elsewhere [`plain`] Burn operations, with passes of its own
//! ([`cpu`], [`rows`]) if a formula would be many of them. All are differentiable in their activations
//! and never in their weights, except the layers of a model in training, which are native only
//! (`trained`).

mod activation;
pub mod activation_kernel;
mod attention;
pub mod attention_kernel;
pub mod check;
pub mod cpu;
pub mod depthwise;
pub mod launch;
mod layer_norm;
pub mod layer_norm_kernel;
mod linear;
pub mod linear_kernel;
mod mean_rows;
pub mod photo;
pub mod plain;
mod primitive;
pub mod rows;
pub mod source;
#[cfg(feature = "stock")]
mod stock;
mod tensor;
#[cfg(not(target_arch = "wasm32"))]
pub mod trained;

pub use activation::Activation;
pub use attention::attention;
pub use depthwise::{Depthwise, Squares, same_padding};
pub use layer_norm::LayerNorm;
pub use linear::Linear;
pub use mean_rows::mean_rows;
pub use primitive::is_gpu;
pub use tensor::{floats, read};
