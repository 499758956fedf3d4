//! EfficientNet-Lite as an image tower (Tan & Le, "EfficientNet", 2019; the Lite form has ReLU6 and no
//! squeeze-and-excitation). Frozen: no gradient goes through it.
//!
//! Activations are rows [B H W, C], the channels of a pixel side by side, so that every 1 x 1
//! convolution is a matrix product.

#[cfg(feature = "engine")]
mod block;
#[cfg(feature = "engine")]
mod build;
mod config;
mod convolution;
mod lite;
#[cfg(feature = "engine")]
mod stem;
#[cfg(feature = "engine")]
mod tower;
#[cfg(feature = "engine")]
mod trunk;

#[cfg(feature = "engine")]
pub use block::Block;
pub use config::{BlockShape, EfficientNetConfig};
pub use convolution::{BATCH_NORM_EPS, Convolution};
pub use lite::{FEATURES, Lite};
#[cfg(feature = "engine")]
pub use stem::Stem;
#[cfg(feature = "engine")]
pub use tower::EfficientNetTower;
#[cfg(feature = "engine")]
pub use trunk::Trunk;
