//! The Rust side of `shaders/`: the layers of a CLIP, each as a value that holds its weights on the
//! device that runs it, packed on a GPU and as f32 on the CPU backend.
//!
//! Every operation is one folder. Its `mod.rs` is the interface and chooses the implementation:
//!
//! - `gpu.rs`: this crate's WGSL, launched on Burn's wgpu device;
//! - `cpu.rs`: passes over host memory, if the formula would be many tensor operations;
//! - `reference.rs`: Burn operations only, which every kernel is compared with, and what the CPU backend
//!   differentiates if the operation has no node of its own there;
//! - `trained.rs`: the same with gradients in the weights, for models in training (native only);
//! - `cases.rs`: the shapes on which [`check()`] compares a GPU with the reference.
//!
//! Except in `trained.rs`, operations differentiate in their activations and never in their weights.
//! `docs/design/extending.md` says how to add one.

pub mod check;
pub mod cpu_tensor;
pub mod launch;
mod placement;
mod primitive;
mod simd;
pub mod source;
#[cfg(feature = "stock")]
mod stock;
mod tensor;

/// Declares the folder of every operation, and the list of them that [`check()`] runs.
macro_rules! operations {
    ($($name:ident),+ $(,)?) => {
        $(pub mod $name;)+

        /// Every operation, in the order of the list above.
        pub const OPERATIONS: &[check::Operation] = &[$(check::Operation {
            name: stringify!($name),
            cases: $name::cases::cases,
        }),+];
    };
}

operations! {
    linear,
    layer_norm,
    attention,
    activation,
    depthwise,
    mean_rows,
    photo,
}

pub use activation::Activation;
pub use attention::Attention;
pub use check::check;
pub use depthwise::{Depthwise, Squares, same_padding};
pub use layer_norm::LayerNorm;
pub use linear::Linear;
pub use mean_rows::mean_rows;
pub use placement::{Placement, Tiling};
pub use primitive::is_gpu;
pub use tensor::{floats, read};
