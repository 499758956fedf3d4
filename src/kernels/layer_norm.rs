//! A LayerNorm over each of its implementations.

use burn::tensor::{Device, Tensor};

use super::primitive::{from_primitive, from_tracked, is_gpu, primitive, tracked};
#[cfg(not(target_arch = "wasm32"))]
use super::trained;
use super::{floats, layer_norm_kernel, plain};
use crate::error::{Error, Kind, Result};

/// A LayerNorm over the last dimension.
#[derive(Clone, Debug)]
pub enum LayerNorm {
    /// Ordinary operations.
    Plain {
        /// Scale [W].
        gamma: Tensor<1>,
        /// Shift [W].
        beta: Tensor<1>,
        /// Added to the variance.
        eps: f32,
    },
    /// This crate's kernels.
    Gpu(layer_norm_kernel::Norm),
    /// Differentiates in scale and shift too.
    #[cfg(not(target_arch = "wasm32"))]
    Trained {
        /// Scale [W].
        gamma: Tensor<1>,
        /// Shift [W].
        beta: Tensor<1>,
        /// Added to the variance.
        eps: f32,
    },
}

impl LayerNorm {
    /// A LayerNorm from its scale and shift [W].
    ///
    /// # Errors
    /// `weights/wrong-shape` if they differ in length.
    pub fn new(gamma: Vec<f32>, beta: Vec<f32>, eps: f32, device: &Device) -> Result<Self> {
        if gamma.len() != beta.len() {
            return Err(Error::new(
                Kind::WeightsWrongShape,
                "A LayerNorm's weight and bias differ in length.",
            ));
        }
        let width = gamma.len();
        let (gamma, beta) = (
            floats(gamma, [width], device),
            floats(beta, [width], device),
        );
        Ok(if is_gpu(device) && !cfg!(feature = "stock") {
            Self::Gpu(layer_norm_kernel::Norm {
                gamma: primitive(gamma),
                beta: primitive(beta),
                eps,
            })
        } else {
            Self::Plain { gamma, beta, eps }
        })
    }

    /// x [R, W] -> [R, W].
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Plain { gamma, beta, eps } => {
                plain::layer_norm(x, gamma.clone(), beta.clone(), *eps)
            }
            #[cfg(not(target_arch = "wasm32"))]
            Self::Trained { gamma, beta, eps } => {
                trained::layer_norm(x, gamma.clone(), beta.clone(), *eps)
            }
            Self::Gpu(norm) if x.is_autodiff() => {
                from_tracked(layer_norm_kernel::track(tracked(x), norm))
            }
            Self::Gpu(norm) => from_primitive(layer_norm_kernel::infer(primitive(x), norm)),
        }
    }
}
