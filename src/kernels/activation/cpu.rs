//! QuickGELU and ReLU6 as passes over host memory, and QuickGELU as one node of the tape.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::NoCheckpointing};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::tensor::Tensor;

use crate::kernels::cpu_tensor::{Values, from_tracked, slice, tracked, values};
use crate::kernels::simd::{exp, with_simd};

/// One value cut to 0..6.
#[inline(always)]
pub(in crate::kernels) fn relu6_of(x: f32) -> f32 {
    x.clamp(0.0, 6.0)
}

/// `x sigmoid(1.702 x)` of one value.
#[inline(always)]
pub(in crate::kernels) fn quick_gelu_of(x: f32) -> f32 {
    x / (1.0 + exp(-1.702 * x))
}

/// `dy` times the derivative of [`quick_gelu_of`] at `x`.
fn quick_gelu_backward(x: &[f32], dy: &[f32]) -> Vec<f32> {
    let mut dx = vec![0f32; x.len()];
    with_simd(|| {
        for ((dx, x), dy) in dx.iter_mut().zip(x).zip(dy) {
            let gate = 1.0 / (1.0 + exp(-1.702 * x));
            *dx = dy * gate * (1.0 + 1.702 * x * (1.0 - gate));
        }
    });
    dx
}

#[derive(Debug)]
struct QuickGeluBackward;

impl Backward<Flex, 1> for QuickGeluBackward {
    type State = Values;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<Flex>(&ops.node).to_contiguous();
        let [x] = ops.parents;
        if let Some(x) = x {
            let dx = quick_gelu_backward(slice(&ops.state), slice(&dy));
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
    with_simd(|| y.iter_mut().for_each(|v| *v = quick_gelu_of(*v)));
    let y = values(y, input.layout().shape().clone());
    from_tracked(match prepared {
        OpsKind::Tracked(prep) => prep.finish(input, y),
        OpsKind::UnTracked(prep) => prep.finish(y),
    })
}
