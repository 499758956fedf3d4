//! The product as Burn operations. With a tape they are what the CPU backend differentiates.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Flex, TensorMetadata};
use burn::tensor::{Shape, Tensor};

use crate::kernels::cpu_tensor::{
    Tracked, constant, from_tracked, from_untracked, tracked, untracked,
};

/// `x Wᵀ + b` on the CPU backend: x [M, K], weight [N, K], bias [N] -> [M, N]; differentiable in x.
pub fn linear(x: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
    if x.is_autodiff() {
        let bias = bias.map(constant);
        from_tracked(on::<Tracked>(tracked(x), constant(weight), bias))
    } else {
        let bias = bias.map(untracked);
        from_untracked(on::<Flex>(untracked(x), untracked(weight), bias))
    }
}

/// [`linear`] on any backend.
pub fn on<B: Backend>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: Option<FloatTensor<B>>,
) -> FloatTensor<B> {
    let y = B::float_matmul(x, B::float_swap_dims(weight, 0, 1));
    match bias {
        Some(bias) => {
            let width = bias.shape().num_elements();
            B::float_add(y, B::float_reshape(bias, Shape::from([1, width])))
        }
        None => y,
    }
}
