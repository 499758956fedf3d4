//! EfficientNet-Lite as an image tower (Tan & Le, "EfficientNet", 2019; the Lite form has ReLU6 and no
//! squeeze-and-excitation). Frozen: no gradient goes through it.
//!
//! Activations are rows [B H W, C], the channels of a pixel side by side, so that every 1 x 1
//! convolution is a matrix product.

mod block;
mod build;
mod config;
mod stem;
mod tower;
mod trunk;

pub use block::Block;
pub use config::{BATCH_NORM_EPS, BlockShape, Convolution, EfficientNetConfig, FEATURES, Lite};
pub use stem::Stem;
pub use tower::EfficientNetTower;
pub use trunk::Trunk;
