//! Pixels and token ids to features: the two towers of a CLIP in Burn operations.
//!
//! Written once for every device. On the CPU backend this is the reference; on a wgpu device the
//! layers inside run this crate's kernels. The letters in shapes are those of docs/design/notation.md.

#[cfg(feature = "engine")]
pub mod block;
#[cfg(feature = "engine")]
pub mod build;
pub mod config;
mod config_fields;
pub mod efficientnet;
pub mod family;
pub mod open_clip;
pub mod tensor_spec;
#[cfg(feature = "engine")]
pub mod text;
#[cfg(feature = "engine")]
pub mod vision;
pub mod vision_config;
#[cfg(feature = "engine")]
pub mod vit;

#[cfg(feature = "engine")]
pub use build::Builder;
#[cfg(feature = "engine")]
use config::ClipConfig;
#[cfg(feature = "engine")]
use text::TextTower;
#[cfg(feature = "engine")]
use vision::VisionTower;

#[cfg(feature = "engine")]
use crate::kernels::Placement;

/// A CLIP on a device: both towers and the temperature.
#[cfg(feature = "engine")]
#[derive(Debug)]
pub struct Clip {
    /// Sizes and options.
    pub config: ClipConfig,
    /// The image tower.
    pub vision: VisionTower,
    /// The text tower.
    pub text: TextTower,
    /// `s = exp(logit_scale)`: logits are `s` times cosines.
    pub logit_scale: f32,
    /// Where the weights are.
    pub placement: Placement,
}
