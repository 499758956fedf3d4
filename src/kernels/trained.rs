//! The layers of a model in training, as ordinary Burn operations on whatever device holds them.
//!
//! Unlike everything else here they differentiate in their weights. Browsers never train towers, so
//! none of this is in their download.

use burn::tensor::Tensor;
use burn::tensor::activation::{gelu, sigmoid};

use crate::clip::config::Activation;

/// `x Wᵀ + b`: x [M, K], weight [N, K], bias [N] -> [M, N].
pub fn linear(x: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
    let y = x.matmul(weight.transpose());
    match bias {
        Some(bias) => y + bias.unsqueeze::<2>(),
        None => y,
    }
}

/// The activation, elementwise.
pub fn activate(x: Tensor<2>, act: Activation) -> Tensor<2> {
    match act {
        Activation::QuickGelu => x.clone() * sigmoid(x * 1.702),
        Activation::Gelu => gelu(x),
    }
}

/// LayerNorm over the last dimension: x [R, W]; gamma, beta [W].
pub fn layer_norm(x: Tensor<2>, gamma: Tensor<1>, beta: Tensor<1>, eps: f32) -> Tensor<2> {
    let centred = x.clone() - x.mean_dim(1);
    let variance = (centred.clone() * centred.clone()).mean_dim(1);
    let scaled = centred / (variance + eps).sqrt() * gamma.unsqueeze::<2>();
    scaled + beta.unsqueeze::<2>()
}
