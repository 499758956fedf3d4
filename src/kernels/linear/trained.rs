//! `x Wᵀ + b` with the gradient in x, W and b: one node on the CPU, Burn operations on a GPU.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::NoCheckpointing};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::ops::FloatTensorOps;
use burn::tensor::Tensor;

use crate::kernels::cpu_tensor::{Values, from_tracked, slice, tracked, values};
use crate::kernels::is_gpu;
use crate::kernels::simd::{sum_rows, with_simd};

#[derive(Debug)]
struct LinearBackward;

impl Backward<Flex, 3> for LinearBackward {
    /// x [M, K] and W [N, K].
    type State = (Values, Values);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [x, weight, bias] = ops.parents;
        let dy = grads.consume::<Flex>(&ops.node).to_contiguous();
        let (input, matrix) = ops.state;
        if let Some(bias) = bias {
            let width = matrix.layout().shape()[0];
            let sums = sum_rows(slice(&dy), width);
            grads.register::<Flex>(bias.id, values(sums, [width]));
        }
        if let Some(weight) = weight {
            let transposed = Flex::float_swap_dims(dy.clone(), 0, 1);
            grads.register::<Flex>(weight.id, Flex::float_matmul(transposed, input));
        }
        if let Some(x) = x {
            grads.register::<Flex>(x.id, Flex::float_matmul(dy, matrix));
        }
    }
}

/// Adds `bias` to every row.
fn add_bias(rows: &mut [f32], bias: &[f32]) {
    with_simd(|| {
        for row in rows.chunks_exact_mut(bias.len()) {
            row.iter_mut().zip(bias).for_each(|(v, b)| *v += b);
        }
    });
}

fn forward(x: Values, weight: Values, bias: &Values) -> Values {
    let mut y = Flex::float_matmul(x, Flex::float_swap_dims(weight, 0, 1));
    add_bias(y.storage_mut::<f32>(), slice(bias));
    y
}

/// x [M, K], weight [N, K], bias [N] -> [M, N].
pub fn linear(x: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
    match bias {
        Some(bias) if !is_gpu(&x.device()) => track(x, weight, bias),
        Some(bias) => x.matmul(weight.transpose()) + bias.unsqueeze::<2>(),
        None => x.matmul(weight.transpose()),
    }
}

fn track(x: Tensor<2>, weight: Tensor<2>, bias: Tensor<1>) -> Tensor<2> {
    let (x, weight, bias) = (tracked(x), tracked(weight), tracked(bias));
    let prepared = LinearBackward
        .prepare::<NoCheckpointing>([x.node(), weight.node(), bias.node()])
        .compute_bound()
        .stateful();
    let (x, weight) = (x.primitive().clone(), weight.primitive().clone());
    let y = forward(x.clone(), weight.clone(), &bias.primitive().to_contiguous());
    from_tracked(match prepared {
        OpsKind::Tracked(prep) => prep.finish((x, weight), y),
        OpsKind::UnTracked(prep) => prep.finish(y),
    })
}
