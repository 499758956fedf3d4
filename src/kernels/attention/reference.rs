//! Attention as Burn operations. The CPU backend runs and differentiates them if there is a prefix.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Flex, TensorMetadata};
use burn::tensor::{Shape, Slice, Tensor, TensorData};

use crate::kernels::cpu_tensor::{Tracked, from_tracked, from_untracked, tracked, untracked};

/// Multi-head attention: qkv [B, T, 3 W]; prefix [P, 3 W] holds keys and values that every batch
/// entry sees first -> [B, T, W].
pub fn attention(
    qkv: Tensor<3>,
    prefix: Option<Tensor<2>>,
    heads: usize,
    causal: bool,
) -> Tensor<3> {
    if qkv.is_autodiff() || prefix.as_ref().is_some_and(Tensor::is_autodiff) {
        let prefix = prefix.map(tracked);
        from_tracked(on::<Tracked>(tracked(qkv), prefix, heads, causal))
    } else {
        let prefix = prefix.map(untracked);
        from_untracked(on::<Flex>(untracked(qkv), prefix, heads, causal))
    }
}

/// [`attention`] on any backend.
pub fn on<B: Backend>(
    qkv: FloatTensor<B>,
    prefix: Option<FloatTensor<B>>,
    heads: usize,
    causal: bool,
) -> FloatTensor<B> {
    let shape = qkv.shape();
    let (batch, rows, width) = (shape[0], shape[1], shape[2] / 3);
    let head = width / heads;
    // [B, T, 3 W] -> [B, heads, T, head] of queries (0), keys (1) or values (2).
    let split = |x: FloatTensor<B>, part: usize| {
        let (b, t) = (x.shape()[0], x.shape()[1]);
        let cut = [
            Slice::from(0..b),
            Slice::from(0..t),
            Slice::from(part * width..(part + 1) * width),
        ];
        let x = B::float_reshape(B::float_slice(x, &cut), Shape::from([b, t, heads, head]));
        B::float_swap_dims(x, 1, 2)
    };
    let q = split(qkv.clone(), 0);
    let (mut k, mut v) = (split(qkv.clone(), 1), split(qkv.clone(), 2));
    let mut seen = 0;
    if let Some(prefix) = prefix {
        seen = prefix.shape()[0];
        let one = B::float_reshape(prefix, Shape::from([1, seen, 3 * width]));
        let every = B::float_repeat_dim(one, 0, batch);
        k = B::float_cat(vec![split(every.clone(), 1), k], 2);
        v = B::float_cat(vec![split(every, 2), v], 2);
    }
    let scale = 1.0 / (head as f32).sqrt();
    let mut scores = B::float_mul_scalar(
        B::float_matmul(q, B::float_swap_dims(k, 2, 3)),
        scale.into(),
    );
    if causal {
        let keys = seen + rows;
        let mask: Vec<f32> = (0..rows)
            .flat_map(|i| {
                (0..keys).map(move |j| if j > seen + i { f32::NEG_INFINITY } else { 0.0 })
            })
            .collect();
        let device = qkv.device();
        let mask = B::float_from_data(TensorData::new(mask, [1, 1, rows, keys]), &device);
        scores = B::float_add(scores, mask);
    }
    let out = B::float_matmul(B::softmax(scores, 3), v);
    B::float_reshape(
        B::float_swap_dims(out, 1, 2),
        Shape::from([batch, rows, width]),
    )
}
