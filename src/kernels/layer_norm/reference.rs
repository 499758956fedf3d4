//! LayerNorm as Burn operations. They are what the CPU backend runs and differentiates.

use burn::backend::ops::ModuleOps;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Flex, TensorMetadata};
use burn::tensor::{Shape, Tensor};

use crate::kernels::cpu_tensor::{
    Tracked, constant, from_tracked, from_untracked, tracked, untracked,
};

/// LayerNorm over the last dimension on the CPU backend: x [R, W]; gamma, beta [W].
pub fn layer_norm(x: Tensor<2>, gamma: Tensor<1>, beta: Tensor<1>, eps: f32) -> Tensor<2> {
    if x.is_autodiff() {
        let (gamma, beta) = (constant(gamma), constant(beta));
        from_tracked(on::<Tracked>(tracked(x), gamma, beta, eps))
    } else {
        let beta = Some(untracked(beta));
        from_untracked(Flex::layer_norm(
            untracked(x),
            untracked(gamma),
            beta,
            eps.into(),
        ))
    }
}

/// [`layer_norm`] on any backend.
pub fn on<B: Backend>(
    x: FloatTensor<B>,
    gamma: FloatTensor<B>,
    beta: FloatTensor<B>,
    eps: f32,
) -> FloatTensor<B> {
    let mean = B::float_mean_dim(x.clone(), 1);
    let centered = B::float_sub(x, mean);
    let variance = B::float_mean_dim(B::float_mul(centered.clone(), centered.clone()), 1);
    let deviation = B::float_sqrt(B::float_add_scalar(variance, eps.into()));
    let scaled = B::float_mul(B::float_div(centered, deviation), row::<B>(gamma));
    B::float_add(scaled, row::<B>(beta))
}

/// [W] as [1, W].
fn row<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    let width = x.shape().num_elements();
    B::float_reshape(x, Shape::from([1, width]))
}
