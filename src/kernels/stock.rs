//! The hot operations as Burn's own GPU operations, in place of this crate's kernels: what
//! `benches/` compares with. Only the feature `stock` has it.

use burn::backend::wgpu::CubeBackend;
use burn::tensor::Tensor;

use super::plain;
use super::primitive::{from_primitive, is_gpu, primitive};
use crate::kernels::Activation;

/// Whether Burn's operations for the GPU are to be used for `x`.
pub fn takes<const D: usize>(x: &Tensor<D>) -> bool {
    is_gpu(&x.device())
}

/// See [`plain::linear`].
pub fn linear(x: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
    let bias = bias.map(primitive);
    from_primitive(plain::linear_on::<CubeBackend>(
        primitive(x),
        primitive(weight),
        bias,
    ))
}

/// See [`plain::activate`].
pub fn activate(x: Tensor<2>, act: Activation) -> Tensor<2> {
    from_primitive(plain::activate_on::<CubeBackend>(primitive(x), act))
}

/// See [`plain::layer_norm`].
pub fn layer_norm(x: Tensor<2>, gamma: Tensor<1>, beta: Tensor<1>, eps: f32) -> Tensor<2> {
    from_primitive(plain::layer_norm_on::<CubeBackend>(
        primitive(x),
        primitive(gamma),
        primitive(beta),
        eps,
    ))
}

/// See [`plain::attention`].
pub fn attention(
    qkv: Tensor<3>,
    prefix: Option<Tensor<2>>,
    heads: usize,
    causal: bool,
) -> Tensor<3> {
    let prefix = prefix.map(primitive);
    from_primitive(plain::attention_on::<CubeBackend>(
        primitive(qkv),
        prefix,
        heads,
        causal,
    ))
}
