//! The hot operations as ordinary Burn operations on the CPU backend: what every kernel is tested
//! against, and what the CPU tier runs. They differentiate by themselves.
//!
//! They name the CPU backend instead of going through Burn's dispatch, because a dispatched matrix
//! product or softmax would carry the GPU runtime's own kernels for it into every download.

use burn::backend::ops::{ActivationOps, ModuleOps};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, AutodiffBackend, Backend, Flex, TensorMetadata};
use burn::tensor::{Float, Shape, Slice, Tensor, TensorData};

use super::cpu::slice;
use super::rows;
use crate::kernels::Activation;

type Tracked = Autodiff<Flex>;

fn plain<const D: usize>(x: Tensor<D>) -> FloatTensor<Flex> {
    x.try_into_primitive::<Flex>()
        .expect("the tensor lives on the CPU backend")
}

fn tracked<const D: usize>(x: Tensor<D>) -> FloatTensor<Tracked> {
    x.autodiff()
        .try_into_primitive::<Tracked>()
        .expect("the tensor lives on the CPU backend")
}

fn constant<const D: usize>(x: Tensor<D>) -> FloatTensor<Tracked> {
    Tracked::from_inner(plain(x))
}

/// `x Wᵀ + b`: x [M, K], weight [N, K], bias [N] -> [M, N].
pub fn linear(x: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
    #[cfg(feature = "stock")]
    if super::stock::takes(&x) {
        return super::stock::linear(x, weight, bias);
    }
    if x.is_autodiff() {
        let y = linear_on::<Tracked>(tracked(x), constant(weight), bias.map(constant));
        Tensor::<2, Float>::from_primitive::<Tracked>(y)
    } else {
        let y = linear_on::<Flex>(plain(x), plain(weight), bias.map(plain));
        Tensor::<2, Float>::from_primitive::<Flex>(y)
    }
}

/// `act(x Wᵀ + b) + residual` with one pass over memory after the product: x [M, K], weight [N, K],
/// bias [N], residual [M, N] -> [M, N]. Not differentiable.
pub fn layer(
    x: Tensor<2>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    act: Option<Activation>,
    residual: Option<Tensor<2>>,
) -> Tensor<2> {
    let mut y = linear_on::<Flex>(plain(x), plain(weight), None);
    let width = y.shape()[1];
    let bias = bias.map(|bias| plain(bias).to_contiguous());
    let residual = residual.map(|residual| plain(residual).to_contiguous());
    let (bias, residual) = (bias.as_ref().map(slice), residual.as_ref().map(slice));
    if act == Some(Activation::Gelu) {
        rows::finish(y.storage_mut(), width, bias, None, None);
        y = Flex::gelu(y);
        rows::finish(y.storage_mut(), width, None, None, residual);
    } else {
        rows::finish(y.storage_mut(), width, bias, act, residual);
    }
    Tensor::<2, Float>::from_primitive::<Flex>(y)
}

pub(super) fn linear_on<B: Backend>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: Option<FloatTensor<B>>,
) -> FloatTensor<B> {
    let y = B::float_matmul(x, B::float_swap_dims(weight, 0, 1));
    match bias {
        Some(bias) => B::float_add(y, row::<B>(bias)),
        None => y,
    }
}

/// [W] as [1, W].
fn row<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    let width = x.shape().num_elements();
    B::float_reshape(x, Shape::from([1, width]))
}

/// The activation, elementwise.
pub fn activate(x: Tensor<2>, act: Activation) -> Tensor<2> {
    #[cfg(feature = "stock")]
    if super::stock::takes(&x) {
        return super::stock::activate(x, act);
    }
    if x.is_autodiff() {
        Tensor::<2, Float>::from_primitive::<Tracked>(activate_on::<Tracked>(tracked(x), act))
    } else {
        let mut y = plain(x);
        match act {
            // In place where nobody else holds the tensor.
            Activation::QuickGelu => rows::quick_gelu(y.storage_mut::<f32>()),
            Activation::Gelu => y = Flex::gelu(y),
            Activation::Relu6 => rows::relu6(y.storage_mut::<f32>()),
        }
        Tensor::<2, Float>::from_primitive::<Flex>(y)
    }
}

pub(super) fn activate_on<B: Backend>(x: FloatTensor<B>, act: Activation) -> FloatTensor<B> {
    match act {
        Activation::QuickGelu => {
            let gate = B::sigmoid(B::float_mul_scalar(x.clone(), 1.702f32.into()));
            B::float_mul(x, gate)
        }
        Activation::Gelu => B::gelu(x),
        Activation::Relu6 => B::float_clamp(x, 0f32.into(), 6f32.into()),
    }
}

/// LayerNorm over the last dimension: x [R, W]; gamma, beta [W].
pub fn layer_norm(x: Tensor<2>, gamma: Tensor<1>, beta: Tensor<1>, eps: f32) -> Tensor<2> {
    #[cfg(feature = "stock")]
    if super::stock::takes(&x) {
        return super::stock::layer_norm(x, gamma, beta, eps);
    }
    if x.is_autodiff() {
        let y = layer_norm_on::<Tracked>(tracked(x), constant(gamma), constant(beta), eps);
        Tensor::<2, Float>::from_primitive::<Tracked>(y)
    } else {
        let y = Flex::layer_norm(plain(x), plain(gamma), Some(plain(beta)), eps.into());
        Tensor::<2, Float>::from_primitive::<Flex>(y)
    }
}

pub(super) fn layer_norm_on<B: Backend>(
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

/// Multi-head attention: qkv [B, T, 3 W]; prefix [P, 3 W] holds keys and values that every batch
/// entry sees first -> [B, T, W].
pub fn attention(
    qkv: Tensor<3>,
    prefix: Option<Tensor<2>>,
    heads: usize,
    causal: bool,
) -> Tensor<3> {
    if qkv.is_autodiff() || prefix.as_ref().is_some_and(Tensor::is_autodiff) {
        let prefix = prefix.map(tracked);
        let out = attention_on::<Tracked>(tracked(qkv), prefix, heads, causal);
        Tensor::<3, Float>::from_primitive::<Tracked>(out)
    } else {
        let out = attention_on::<Flex>(plain(qkv), prefix.map(plain), heads, causal);
        Tensor::<3, Float>::from_primitive::<Flex>(out)
    }
}

pub(super) fn attention_on<B: Backend>(
    qkv: FloatTensor<B>,
    prefix: Option<FloatTensor<B>>,
    heads: usize,
    causal: bool,
) -> FloatTensor<B> {
    let shape = qkv.shape();
    let (batch, rows, width) = (shape[0], shape[1], shape[2] / 3);
    let head = width / heads;
    // [B, T, 3 W] -> [B, heads, T, head] of queries (0), keys (1) or values (2).
    let split = |x: FloatTensor<B>, part: usize| {
        let (b, t) = (x.shape()[0], x.shape()[1]);
        let cut = [
            Slice::from(0..b),
            Slice::from(0..t),
            Slice::from(part * width..(part + 1) * width),
        ];
        let x = B::float_reshape(B::float_slice(x, &cut), Shape::from([b, t, heads, head]));
        B::float_swap_dims(x, 1, 2)
    };
    let q = split(qkv.clone(), 0);
    let (mut k, mut v) = (split(qkv.clone(), 1), split(qkv.clone(), 2));
    let mut seen = 0;
    if let Some(prefix) = prefix {
        seen = prefix.shape()[0];
        let one = B::float_reshape(prefix, Shape::from([1, seen, 3 * width]));
        let every = B::float_repeat_dim(one, 0, batch);
        k = B::float_cat(vec![split(every.clone(), 1), k], 2);
        v = B::float_cat(vec![split(every, 2), v], 2);
    }
    let scale = 1.0 / (head as f32).sqrt();
    let mut scores = B::float_mul_scalar(
        B::float_matmul(q, B::float_swap_dims(k, 2, 3)),
        scale.into(),
    );
    if causal {
        let keys = seen + rows;
        let mask: Vec<f32> = (0..rows)
            .flat_map(|i| {
                (0..keys).map(move |j| if j > seen + i { f32::NEG_INFINITY } else { 0.0 })
            })
            .collect();
        let device = qkv.device();
        let mask = B::float_from_data(TensorData::new(mask, [1, 1, rows, keys]), &device);
        scores = B::float_add(scores, mask);
    }
    let out = B::float_matmul(B::softmax(scores, 3), v);
    B::float_reshape(
        B::float_swap_dims(out, 1, 2),
        Shape::from([batch, rows, width]),
    )
}
