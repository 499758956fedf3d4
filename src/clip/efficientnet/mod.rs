//! EfficientNet-Lite as an image tower (Tan & Le, "EfficientNet", 2019; the Lite form has ReLU6 and no
//! squeeze-and-excitation). Frozen: no gradient goes through it.
//!
//! Activations are rows [B H W, C], the channels of a pixel side by side, so that every 1 x 1
//! convolution is a matrix product.

mod block;
mod build;
mod config;
mod convolution;
mod lite;
mod stem;
mod tower;
mod trunk;

pub use block::Block;
pub use config::{BlockShape, EfficientNetConfig};
pub use convolution::{BATCH_NORM_EPS, Convolution};
pub use lite::{FEATURES, Lite};
pub use stem::Stem;
pub use tower::EfficientNetTower;
pub use trunk::Trunk;
