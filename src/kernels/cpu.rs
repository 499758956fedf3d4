//! Nodes of the tape on Burn's CPU backend over the passes of [`super::rows`], and the way from
//! tensors to their values and back.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::NoCheckpointing};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex};
use burn::tensor::{Float, Shape, Tensor, TensorData};

use super::rows;

/// A tensor of the CPU backend.
pub type Values = FloatTensor<Flex>;
type Tracked = Autodiff<Flex>;

/// A contiguous tensor's values.
pub fn slice(x: &Values) -> &[f32] {
    x.as_slice().expect("the tensor is contiguous and f32")
}

/// Values as a tensor.
pub fn values(values: Vec<f32>, shape: impl Into<Shape>) -> Values {
    Values::from_data(TensorData::new(values, shape.into()))
}

/// The tape's own form of a tensor.
pub fn tracked<const D: usize>(x: Tensor<D>) -> FloatTensor<Tracked> {
    x.autodiff()
        .try_into_primitive::<Tracked>()
        .expect("the tensor lives on the CPU backend")
}

/// The tensor of the tape's own form.
pub fn from_tracked<const D: usize>(x: FloatTensor<Tracked>) -> Tensor<D> {
    Tensor::<D, Float>::from_primitive::<Tracked>(x)
}

#[derive(Debug)]
struct QuickGeluBackward;

impl Backward<Flex, 1> for QuickGeluBackward {
    type State = Values;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<Flex>(&ops.node).to_contiguous();
        let [x] = ops.parents;
        if let Some(x) = x {
            let dx = rows::quick_gelu_backward(slice(&ops.state), slice(&dy));
            let shape = ops.state.layout().shape().clone();
            grads.register::<Flex>(x.id, values(dx, shape));
        }
    }
}

/// `x sigmoid(1.702 x)`, elementwise.
pub fn quick_gelu(x: Tensor<2>) -> Tensor<2> {
    let x = tracked(x);
    let prepared = QuickGeluBackward
        .prepare::<NoCheckpointing>([x.node()])
        .compute_bound()
        .stateful();
    let input = x.primitive().to_contiguous();
    let mut y = slice(&input).to_vec();
    rows::quick_gelu(&mut y);
    let y = values(y, input.layout().shape().clone());
    from_tracked(match prepared {
        OpsKind::Tracked(prep) => prep.finish(input, y),
        OpsKind::UnTracked(prep) => prep.finish(y),
    })
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
    rows::softmax(mixed.storage_mut::<f32>(), keys, scale, causal);
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
        rows::softmax_backward(slice(&mixed), scores.storage_mut::<f32>(), count, scale);
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
        let qkv: Values = qkv
            .try_into_primitive::<Flex>()
            .expect("the tensor lives on the CPU backend");
        let (_, y) = attend(&qkv.to_contiguous(), heads, causal);
        return Tensor::<3, Float>::from_primitive::<Flex>(y);
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
