//! LayerNorm with the gradient in x, scale and shift: one node on the CPU, Burn operations on a GPU.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::NoCheckpointing};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::tensor::Tensor;

use super::cpu::{self, Moments};
use crate::kernels::cpu_tensor::{Values, from_tracked, slice, tracked, values};
use crate::kernels::is_gpu;

#[derive(Debug)]
struct NormBackward;

impl Backward<Flex, 3> for NormBackward {
    /// x [R, W], the rows' moments, gamma [W].
    type State = (Values, Vec<Moments>, Values);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<Flex>(&ops.node).to_contiguous();
        let (x, moments, gamma) = ops.state;
        let shape = x.layout().shape().clone();
        let [dx, dgamma, dbeta] =
            cpu::layer_norm_backward(slice(&x), &moments, slice(&gamma), slice(&dy));
        let width = dgamma.len();
        let [x, gamma, beta] = ops.parents;
        if let Some(x) = x {
            grads.register::<Flex>(x.id, values(dx, shape));
        }
        for (parent, gradient) in [(gamma, dgamma), (beta, dbeta)] {
            if let Some(parent) = parent {
                grads.register::<Flex>(parent.id, values(gradient, [width]));
            }
        }
    }
}

/// LayerNorm over the last dimension: x [R, W]; gamma, beta [W] -> [R, W].
pub fn layer_norm(x: Tensor<2>, gamma: Tensor<1>, beta: Tensor<1>, eps: f32) -> Tensor<2> {
    if !is_gpu(&x.device()) {
        return track(x, gamma, beta, eps);
    }
    let centered = x.clone() - x.mean_dim(1);
    let variance = (centered.clone() * centered.clone()).mean_dim(1);
    let scaled = centered / (variance + eps).sqrt() * gamma.unsqueeze::<2>();
    scaled + beta.unsqueeze::<2>()
}

fn track(x: Tensor<2>, gamma: Tensor<1>, beta: Tensor<1>, eps: f32) -> Tensor<2> {
    let (x, gamma, beta) = (tracked(x), tracked(gamma), tracked(beta));
    let prepared = NormBackward
        .prepare::<NoCheckpointing>([x.node(), gamma.node(), beta.node()])
        .compute_bound()
        .stateful();
    let input = x.primitive().to_contiguous();
    let scale = gamma.primitive().to_contiguous();
    let shift = beta.primitive().to_contiguous();
    let (y, moments) = cpu::layer_norm(slice(&input), slice(&scale), slice(&shift), eps);
    let y = values(y, input.layout().shape().clone());
    from_tracked(match prepared {
        OpsKind::Tracked(prep) => prep.finish((input, moments, scale), y),
        OpsKind::UnTracked(prep) => prep.finish(y),
    })
}
