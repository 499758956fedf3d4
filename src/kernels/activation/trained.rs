//! The activations of a model in training: QuickGELU is one node on the CPU, everything else Burn's own.

use burn::tensor::Tensor;
use burn::tensor::activation::{gelu, sigmoid};

use super::{Activation, cpu};
use crate::kernels::is_gpu;

/// The activation, elementwise.
pub fn activate(x: Tensor<2>, act: Activation) -> Tensor<2> {
    match act {
        Activation::QuickGelu if !is_gpu(&x.device()) => cpu::quick_gelu(x),
        Activation::QuickGelu => x.clone() * sigmoid(x * 1.702),
        Activation::Gelu => gelu(x),
        Activation::Relu6 => x.clamp(0.0, 6.0),
    }
}
