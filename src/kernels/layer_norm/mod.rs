//! LayerNorm over the last dimension.

pub mod cases;
#[cfg(not(target_arch = "wasm32"))]
pub mod cpu;
pub mod gpu;
pub mod reference;
#[cfg(not(target_arch = "wasm32"))]
pub mod trained;

use burn::tensor::Tensor;

use super::primitive::{from_primitive, from_tracked, is_gpu, primitive, tracked};
#[cfg(feature = "stock")]
use super::stock;
use super::{Placement, floats};
use crate::error::{Error, Kind, Result};

/// A LayerNorm over the last dimension.
#[derive(Clone, Debug)]
pub enum LayerNorm {
    /// Frozen, for Burn operations.
    Frozen(Affine),
    /// Frozen, for this crate's kernels.
    Gpu(gpu::Norm),
    /// Differentiates in scale and shift too.
    #[cfg(not(target_arch = "wasm32"))]
    Trained(Affine),
}

/// What follows the normalization, as tensors of their device.
#[derive(Clone, Debug)]
pub struct Affine {
    /// Scale [W].
    pub gamma: Tensor<1>,
    /// Shift [W].
    pub beta: Tensor<1>,
    /// Added to the variance.
    pub eps: f32,
}

impl LayerNorm {
    /// A LayerNorm from its scale and shift [W].
    ///
    /// # Errors
    /// `weights/wrong-shape` if they differ in length.
    pub fn new(gamma: Vec<f32>, beta: Vec<f32>, eps: f32, on: &Placement) -> Result<Self> {
        if gamma.len() != beta.len() {
            return Err(Error::new(
                Kind::WeightsWrongShape,
                "A LayerNorm's weight and bias differ in length.",
            ));
        }
        let width = gamma.len();
        let (gamma, beta) = (
            floats(gamma, [width], &on.device),
            floats(beta, [width], &on.device),
        );
        Ok(if is_gpu(&on.device) && !cfg!(feature = "stock") {
            Self::Gpu(gpu::Norm {
                gamma: primitive(gamma),
                beta: primitive(beta),
                eps,
                tiling: on.tiling,
            })
        } else {
            Self::Frozen(Affine { gamma, beta, eps })
        })
    }

    /// x [R, W] -> [R, W].
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Frozen(Affine { gamma, beta, eps }) => {
                #[cfg(feature = "stock")]
                if stock::takes(&x) {
                    return stock::layer_norm(x, gamma.clone(), beta.clone(), *eps);
                }
                reference::layer_norm(x, gamma.clone(), beta.clone(), *eps)
            }
            #[cfg(not(target_arch = "wasm32"))]
            Self::Trained(Affine { gamma, beta, eps }) => {
                trained::layer_norm(x, gamma.clone(), beta.clone(), *eps)
            }
            Self::Gpu(norm) if x.is_autodiff() => from_tracked(gpu::track(tracked(x), norm)),
            Self::Gpu(norm) => from_primitive(gpu::infer(primitive(x), norm)),
        }
    }
}
