//! The activations as Burn operations. With a tape they are what the CPU backend differentiates.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Flex};
use burn::tensor::Tensor;

use super::Activation;
use crate::kernels::cpu_tensor::{Tracked, from_tracked, from_untracked, tracked, untracked};

/// The activation on the CPU backend, elementwise.
pub fn activate(x: Tensor<2>, act: Activation) -> Tensor<2> {
    if x.is_autodiff() {
        from_tracked(on::<Tracked>(tracked(x), act))
    } else {
        from_untracked(on::<Flex>(untracked(x), act))
    }
}

/// [`activate`] on any backend.
pub fn on<B: Backend>(x: FloatTensor<B>, act: Activation) -> FloatTensor<B> {
    match act {
        Activation::QuickGelu => {
            let gate = B::sigmoid(B::float_mul_scalar(x.clone(), 1.702f32.into()));
            B::float_mul(x, gate)
        }
        Activation::Gelu => B::gelu(x),
        Activation::Relu6 => B::float_clamp(x, 0f32.into(), 6f32.into()),
    }
}
