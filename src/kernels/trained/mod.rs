//! The layers of a model in training: unlike everything else here they differentiate in their weights.
//!
//! On the CPU each is one node of the tape over the passes of [`super::rows`]; elsewhere they are
//! ordinary Burn operations. Browsers never train towers, so none of this is in their download.

mod linear;
mod norm;

use burn::tensor::Tensor;
use burn::tensor::activation::{gelu, sigmoid};

use super::cpu;
use super::is_gpu;
use crate::kernels::Activation;

/// `x Wᵀ + b`: x [M, K], weight [N, K], bias [N] -> [M, N].
pub fn linear(x: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
    match bias {
        Some(bias) if !is_gpu(&x.device()) => linear::track(x, weight, bias),
        Some(bias) => x.matmul(weight.transpose()) + bias.unsqueeze::<2>(),
        None => x.matmul(weight.transpose()),
    }
}

/// The activation, elementwise.
pub fn activate(x: Tensor<2>, act: Activation) -> Tensor<2> {
    match act {
        Activation::QuickGelu if !is_gpu(&x.device()) => cpu::quick_gelu(x),
        Activation::QuickGelu => x.clone() * sigmoid(x * 1.702),
        Activation::Gelu => gelu(x),
        Activation::Relu6 => x.clamp(0.0, 6.0),
    }
}

/// LayerNorm over the last dimension: x [R, W]; gamma, beta [W].
pub fn layer_norm(x: Tensor<2>, gamma: Tensor<1>, beta: Tensor<1>, eps: f32) -> Tensor<2> {
    if !is_gpu(&x.device()) {
        return norm::track(x, gamma, beta, eps);
    }
    let centered = x.clone() - x.mean_dim(1);
    let variance = (centered.clone() * centered.clone()).mean_dim(1);
    let scaled = centered / (variance + eps).sqrt() * gamma.unsqueeze::<2>();
    scaled + beta.unsqueeze::<2>()
}
