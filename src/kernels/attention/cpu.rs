//! Attention as one node of the tape on Burn's CPU backend: two matrix products with one pass over the
//! scores between them.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::NoCheckpointing};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::ops::FloatTensorOps;
use burn::tensor::{Shape, Tensor};

use crate::kernels::cpu_tensor::{
    Values, from_tracked, from_untracked, slice, tracked, untracked, values,
};
use crate::kernels::simd::{exp, sum, with_simd};

/// Softmax of `scale` times every row of `keys` scores, in place. With `causal`, row i of every
/// square of `keys` rows sees the places 0..=i, and the others become 0.
fn softmax(scores: &mut [f32], keys: usize, scale: f32, causal: bool) {
    with_simd(|| {
        for (i, row) in scores.chunks_exact_mut(keys).enumerate() {
            let seen = if causal { i % keys + 1 } else { keys };
            let (row, hidden) = row.split_at_mut(seen);
            hidden.fill(0.0);
            let most = row.iter().fold(f32::NEG_INFINITY, |a, b| a.max(*b));
            row.iter_mut().for_each(|v| *v = exp((*v - most) * scale));
            let norm = 1.0 / sum(seen, |i| row[i]);
            row.iter_mut().for_each(|v| *v *= norm);
        }
    });
}

/// Turns the gradient in the probabilities into the one in the scores of [`softmax`], in place.
fn softmax_backward(probabilities: &[f32], gradient: &mut [f32], keys: usize, scale: f32) {
    with_simd(|| {
        let rows = probabilities.chunks_exact(keys);
        for (p, g) in rows.zip(gradient.chunks_exact_mut(keys)) {
            let mean = sum(keys, |i| p[i] * g[i]);
            for (g, p) in g.iter_mut().zip(p) {
                *g = p * (*g - mean) * scale;
            }
        }
    });
}

/// Queries, keys or values of qkv [B, T, 3 W] as [B, heads, T, head], without a copy.
fn split_qkv(qkv: &Values, heads: usize, part: usize) -> Values {
    let shape = qkv.layout().shape();
    let (batch, rows, head) = (shape[0], shape[1], shape[2] / (3 * heads));
    qkv.reshape(Shape::from([batch, rows, 3 * heads, head]))
        .permute(&[0, 2, 1, 3])
        .narrow(1, part * heads, heads)
}

fn transposed(x: Values) -> Values {
    Flex::float_swap_dims(x, 2, 3)
}

/// [B, heads, T, head] as [B, T, W].
fn merge_heads(x: &Values) -> Values {
    let shape = x.layout().shape();
    let (batch, heads, rows, head) = (shape[0], shape[1], shape[2], shape[3]);
    x.permute(&[0, 2, 1, 3])
        .to_contiguous()
        .reshape(Shape::from([batch, rows, heads * head]))
}

/// The probabilities [B, heads, T, T] and what they mix, [B, T, W].
fn attend(qkv: &Values, heads: usize, causal: bool) -> (Values, Values) {
    let (q, k, v) = (
        split_qkv(qkv, heads, 0),
        split_qkv(qkv, heads, 1),
        split_qkv(qkv, heads, 2),
    );
    let (keys, head) = (k.layout().shape()[2], k.layout().shape()[3]);
    let mut mixed = Flex::float_matmul(q, transposed(k));
    let scale = 1.0 / (head as f32).sqrt();
    softmax(mixed.storage_mut::<f32>(), keys, scale, causal);
    let out = Flex::float_matmul(mixed.clone(), v);
    (mixed, merge_heads(&out))
}

#[derive(Debug)]
struct AttentionBackward;

impl Backward<Flex, 1> for AttentionBackward {
    /// qkv, the probabilities, the heads.
    type State = (Values, Values, usize);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<Flex>(&ops.node).to_contiguous();
        let [parent] = ops.parents;
        let Some(parent) = parent else { return };
        let (qkv, mixed, heads) = ops.state;
        let (q, k, v) = (
            split_qkv(&qkv, heads, 0),
            split_qkv(&qkv, heads, 1),
            split_qkv(&qkv, heads, 2),
        );
        let shape = q.layout().shape().clone();
        let (batch, count, head) = (shape[0], shape[2], shape[3]);
        let dy = dy
            .reshape(Shape::from([batch, count, heads, head]))
            .permute(&[0, 2, 1, 3]);
        let dv = Flex::float_matmul(transposed(mixed.clone()), dy.clone());
        let mut scores = Flex::float_matmul(dy, transposed(v));
        let scale = 1.0 / (head as f32).sqrt();
        softmax_backward(slice(&mixed), scores.storage_mut::<f32>(), count, scale);
        let dq = Flex::float_matmul(scores.clone(), k);
        let dk = Flex::float_matmul(transposed(scores), q);
        let mut out = vec![0f32; batch * count * 3 * heads * head];
        for (at, gradient) in [dq, dk, dv].iter().enumerate() {
            for (i, row) in slice(gradient).chunks_exact(head).enumerate() {
                // Rows come as (image, head, row).
                let (image, h, t) = (i / (count * heads), i / count % heads, i % count);
                let start = ((image * count + t) * 3 + at) * heads * head + h * head;
                out[start..start + head].copy_from_slice(row);
            }
        }
        let shape = qkv.layout().shape().clone();
        grads.register::<Flex>(parent.id, values(out, shape));
    }
}

/// Multi-head attention: qkv [B, T, 3 W] -> [B, T, W]; with `causal`, row i sees rows 0..=i.
pub fn attention(qkv: Tensor<3>, heads: usize, causal: bool) -> Tensor<3> {
    if !qkv.is_autodiff() {
        let (_, y) = attend(&untracked(qkv).to_contiguous(), heads, causal);
        return from_untracked(y);
    }
    let qkv = tracked(qkv);
    let prepared = AttentionBackward
        .prepare::<NoCheckpointing>([qkv.node()])
        .compute_bound()
        .stateful();
    let input = qkv.primitive().to_contiguous();
    let (mixed, y) = attend(&input, heads, causal);
    from_tracked(match prepared {
        OpsKind::Tracked(prep) => prep.finish((input, mixed, heads), y),
        OpsKind::UnTracked(prep) => prep.finish(y),
    })
}

#[cfg(test)]
mod tests {
    use super::softmax;

    #[test]
    fn hidden_places_have_no_probability() {
        let mut scores = vec![5.0, 9.0, 1.0, 1.0];
        softmax(&mut scores, 2, 1.0, true);
        assert_eq!(scores, [1.0, 0.0, 0.5, 0.5]);
    }
}
