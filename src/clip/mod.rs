//! Pixels and token ids to features: the two towers of a CLIP in Burn operations.
//!
//! Written once for every device. On the CPU backend this is the reference; on a wgpu device the
//! layers inside run this crate's kernels.

pub mod block;
pub mod build;
pub mod config;
mod config_fields;
pub mod efficientnet;
pub mod family;
pub mod open_clip;
pub mod tensor_spec;
pub mod text;
pub mod vision;
pub mod vision_config;
pub mod vit;

pub use build::Builder;
use config::ClipConfig;
use text::TextTower;
use vision::VisionTower;

use crate::kernels::Placement;

/// A CLIP on a device: both towers and the temperature.
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
