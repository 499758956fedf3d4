//! The hot operations as ordinary Burn tensor operations: what every kernel is tested against, and
//! what runs on the CPU backend. They differentiate by themselves.

use burn::tensor::{Tensor, activation};

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
pub fn activate<const D: usize>(x: Tensor<D>, act: Activation) -> Tensor<D> {
    match act {
        Activation::QuickGelu => x.clone() * activation::sigmoid(x * 1.702),
        Activation::Gelu => activation::gelu(x),
    }
}

/// LayerNorm over the last dimension: x [R, W]; gamma, beta [W].
pub fn layer_norm(x: Tensor<2>, gamma: Tensor<1>, beta: Tensor<1>, eps: f32) -> Tensor<2> {
    let mean = x.clone().mean_dim(1);
    let centred = x - mean;
    let variance = centred.clone().powi_scalar(2).mean_dim(1);
    centred / (variance + eps).sqrt() * gamma.unsqueeze::<2>() + beta.unsqueeze::<2>()
}

/// Multi-head attention: qkv [B, T, 3 W]; prefix [P, 3 W] holds keys and values that every batch
/// entry sees first -> [B, T, W].
pub fn attention(
    qkv: Tensor<3>,
    prefix: Option<Tensor<2>>,
    heads: usize,
    causal: bool,
) -> Tensor<3> {
    let [batch, rows, width3] = qkv.dims();
    let width = width3 / 3;
    let head = width / heads;
    let split = |x: Tensor<3>, part: usize| -> Tensor<4> {
        let [b, t, _] = x.dims();
        x.narrow(2, part * width, width)
            .reshape([b, t, heads, head])
            .swap_dims(1, 2)
    };
    let q = split(qkv.clone(), 0);
    let (mut k, mut v) = (split(qkv.clone(), 1), split(qkv.clone(), 2));
    let mut seen = 0;
    if let Some(prefix) = prefix {
        seen = prefix.dims()[0];
        let prefix = prefix.unsqueeze::<3>().repeat_dim(0, batch);
        k = Tensor::cat(vec![split(prefix.clone(), 1), k], 2);
        v = Tensor::cat(vec![split(prefix, 2), v], 2);
    }
    let mut scores = q.matmul(k.swap_dims(2, 3)) * (1.0 / (head as f32).sqrt());
    if causal {
        let mask: Vec<f32> = (0..rows)
            .flat_map(|i| {
                (0..seen + rows).map(move |j| if j > seen + i { f32::NEG_INFINITY } else { 0.0 })
            })
            .collect();
        let device = scores.device().inner();
        let mask =
            Tensor::<1>::from_floats(mask.as_slice(), &device).reshape([1, 1, rows, seen + rows]);
        scores = scores + mask;
    }
    let out = activation::softmax(scores, 3).matmul(v);
    out.swap_dims(1, 2).reshape([batch, rows, width])
}
