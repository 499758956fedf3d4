//! Pixels and token ids to features: the two towers of a CLIP in Burn operations.
//!
//! Written once for every device. On the CPU backend this is the reference; on a wgpu device the
//! layers inside run this crate's kernels.

pub mod block;
pub mod build;
pub mod config;
pub mod open_clip;
pub mod text;
pub mod vision;

use burn::tensor::{Device, Tensor};

pub use build::Builder;
use config::ClipConfig;
use text::TextTower;
use vision::VisionTower;

use crate::error::{Error, Kind, Result};

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
    pub device: Device,
}

/// The values of `tensor` in row-major order, read without blocking.
///
/// # Errors
/// `gpu/lost` if the device fails, `engine/not-finite` if a value is NaN or infinite.
pub async fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    let data = tensor.into_data_async().await.map_err(|e| {
        let why = format!("{e:?}");
        let line = why.lines().next().unwrap_or_default();
        let sentence = format!(
            "The device failed while computing ({line}). Load the model again, on the CPU where this \
             goes on."
        );
        Error::new(Kind::GpuLost, sentence)
    })?;
    let values = data.try_to_vec::<f32>().map_err(|e| {
        Error::new(
            Kind::Internal,
            format!("A tensor has an unexpected type: {e:?}"),
        )
    })?;
    if values.iter().all(|v| v.is_finite()) {
        Ok(values)
    } else {
        Err(Error::new(
            Kind::NotFinite,
            "The model computed NaN or infinity for this input.",
        ))
    }
}

/// Scales every row of `values` [rows, width] to length one.
pub fn normalise_rows(values: &mut [f32], width: usize) {
    for row in values.chunks_mut(width) {
        let norm = row
            .iter()
            .map(|v| f64::from(*v) * f64::from(*v))
            .sum::<f64>()
            .sqrt()
            .max(f64::MIN_POSITIVE);
        for v in row {
            *v = (f64::from(*v) / norm) as f32;
        }
    }
}
