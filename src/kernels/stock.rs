//! The hot operations as Burn's own GPU operations, in place of this crate's kernels: what
//! `benches/` compares with. Only the feature `stock` has it.

use burn::backend::wgpu::CubeBackend;
use burn::tensor::Tensor;

use super::activation::{self, Activation};
use super::primitive::{from_primitive, is_gpu, primitive};
use super::{attention as attention_op, layer_norm as layer_norm_op, linear as linear_op};

/// Whether Burn's operations for the GPU are to be used for `x`.
pub fn takes<const D: usize>(x: &Tensor<D>) -> bool {
    is_gpu(&x.device())
}

/// [`linear_op::reference`] on the GPU.
pub fn linear(x: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
    let bias = bias.map(primitive);
    from_primitive(linear_op::reference::on::<CubeBackend>(
        primitive(x),
        primitive(weight),
        bias,
    ))
}

/// [`activation::reference`] on the GPU.
pub fn activate(x: Tensor<2>, act: Activation) -> Tensor<2> {
    from_primitive(activation::reference::on::<CubeBackend>(primitive(x), act))
}

/// [`layer_norm_op::reference`] on the GPU.
pub fn layer_norm(x: Tensor<2>, gamma: Tensor<1>, beta: Tensor<1>, eps: f32) -> Tensor<2> {
    from_primitive(layer_norm_op::reference::on::<CubeBackend>(
        primitive(x),
        primitive(gamma),
        primitive(beta),
        eps,
    ))
}

/// [`attention_op::reference`] on the GPU.
pub fn attention(
    qkv: Tensor<3>,
    prefix: Option<Tensor<2>>,
    heads: usize,
    causal: bool,
) -> Tensor<3> {
    let prefix = prefix.map(primitive);
    from_primitive(attention_op::reference::on::<CubeBackend>(
        primitive(qkv),
        prefix,
        heads,
        causal,
    ))
}
