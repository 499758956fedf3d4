//! The product on Burn's CPU backend with one pass over memory after it. Not differentiable.

use burn::backend::Flex;
use burn::backend::TensorMetadata;
use burn::backend::ops::ActivationOps;
use burn::tensor::Tensor;

use super::reference;
use crate::kernels::Activation;
use crate::kernels::activation::cpu::{quick_gelu_of, relu6_of};
use crate::kernels::cpu_tensor::{from_untracked, slice, untracked};
use crate::kernels::simd::with_simd;

/// `act(x Wᵀ + b) + residual`: x [M, K], weight [N, K], bias [N], residual [M, N] -> [M, N].
pub fn forward(
    x: Tensor<2>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    act: Option<Activation>,
    residual: Option<Tensor<2>>,
) -> Tensor<2> {
    let mut y = reference::on::<Flex>(untracked(x), untracked(weight), None);
    let width = y.shape()[1];
    let bias = bias.map(|bias| untracked(bias).to_contiguous());
    let residual = residual.map(|residual| untracked(residual).to_contiguous());
    let (bias, residual) = (bias.as_ref().map(slice), residual.as_ref().map(slice));
    if act == Some(Activation::Gelu) {
        finish(y.storage_mut(), width, bias, None, None);
        y = Flex::gelu(y);
        finish(y.storage_mut(), width, None, None, residual);
    } else {
        finish(y.storage_mut(), width, bias, act, residual);
    }
    from_untracked(y)
}

/// What follows a matrix product: adds `bias` to every row, then applies `act`, then adds `residual`,
/// while the row is in the nearest cache. GELU is Burn's own operation and is left to the caller.
fn finish(
    y: &mut [f32],
    width: usize,
    bias: Option<&[f32]>,
    act: Option<Activation>,
    residual: Option<&[f32]>,
) {
    with_simd(
        #[inline(always)]
        || {
            for (i, row) in y.chunks_exact_mut(width).enumerate() {
                if let Some(bias) = bias {
                    row.iter_mut().zip(bias).for_each(|(v, b)| *v += b);
                }
                match act {
                    Some(Activation::QuickGelu) => {
                        row.iter_mut().for_each(|v| *v = quick_gelu_of(*v));
                    }
                    Some(Activation::Relu6) => {
                        row.iter_mut().for_each(|v| *v = relu6_of(*v));
                    }
                    Some(Activation::Gelu) | None => {}
                }
                if let Some(residual) = residual {
                    let residual = &residual[i * width..][..width];
                    row.iter_mut().zip(residual).for_each(|(v, r)| *v += r);
                }
            }
        },
    );
}
