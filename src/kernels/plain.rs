//! The hot operations as ordinary Burn operations on the CPU backend: what every kernel is tested
//! against, and what the CPU tier runs. They differentiate by themselves.
//!
//! They name the CPU backend instead of going through Burn's dispatch, because a dispatched matrix
//! product or softmax would carry the GPU runtime's own kernels for it into every download.

use burn::backend::ops::{ActivationOps, ModuleOps};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, AutodiffBackend, Backend, Flex, TensorMetadata};
use burn::tensor::{Float, Shape, Slice, Tensor, TensorData};

use crate::clip::config::Activation;

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
    if x.is_autodiff() {
        let y = linear_on::<Tracked>(tracked(x), constant(weight), bias.map(constant));
        Tensor::<2, Float>::from_primitive::<Tracked>(y)
    } else {
        let y = linear_on::<Flex>(plain(x), plain(weight), bias.map(plain));
        Tensor::<2, Float>::from_primitive::<Flex>(y)
    }
}

fn linear_on<B: Backend>(
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
    if x.is_autodiff() {
        Tensor::<2, Float>::from_primitive::<Tracked>(activate_on::<Tracked>(tracked(x), act))
    } else {
        let y = match act {
            Activation::QuickGelu => quick_gelu(plain(x)),
            Activation::Gelu => Flex::gelu(plain(x)),
        };
        Tensor::<2, Float>::from_primitive::<Flex>(y)
    }
}

/// v sigmoid(1.702 v) in one pass, and in place where nobody else holds the tensor.
fn quick_gelu(mut x: FloatTensor<Flex>) -> FloatTensor<Flex> {
    for v in x.storage_mut::<f32>() {
        *v /= 1.0 + exp(-1.702 * *v);
    }
    x
}

/// e^x to within 2 units in the last place, as 2^n times a polynomial of the rest (Cephes). The
/// standard library's is a call for every value; this one compiles to SIMD. Below -87 and above 88,
/// where floats end, it stays at their end.
#[inline(always)]
fn exp(x: f32) -> f32 {
    // ln 2 in two parts, so that n times the first is exact.
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    const TERMS: [f32; 6] = [
        1.987_569_1e-4,
        1.398_199_9e-3,
        8.333_452e-3,
        4.166_579_6e-2,
        1.666_666_5e-1,
        0.5,
    ];
    let x = x.clamp(-87.3, 88.0);
    let n = (x * std::f32::consts::LOG2_E).round_ties_even();
    let rest = x - n * LN_2[0] - n * LN_2[1];
    let series = TERMS.iter().fold(0.0, |sum, term| sum * rest + term);
    let power = f32::from_bits(((n as i32 + 127) << 23) as u32);
    (series * rest * rest + rest + 1.0) * power
}

fn activate_on<B: Backend>(x: FloatTensor<B>, act: Activation) -> FloatTensor<B> {
    match act {
        Activation::QuickGelu => {
            let gate = B::sigmoid(B::float_mul_scalar(x.clone(), 1.702f32.into()));
            B::float_mul(x, gate)
        }
        Activation::Gelu => B::gelu(x),
    }
}

/// LayerNorm over the last dimension: x [R, W]; gamma, beta [W].
pub fn layer_norm(x: Tensor<2>, gamma: Tensor<1>, beta: Tensor<1>, eps: f32) -> Tensor<2> {
    if x.is_autodiff() {
        let y = layer_norm_on::<Tracked>(tracked(x), constant(gamma), constant(beta), eps);
        Tensor::<2, Float>::from_primitive::<Tracked>(y)
    } else {
        let y = Flex::layer_norm(plain(x), plain(gamma), Some(plain(beta)), eps.into());
        Tensor::<2, Float>::from_primitive::<Flex>(y)
    }
}

fn layer_norm_on<B: Backend>(
    x: FloatTensor<B>,
    gamma: FloatTensor<B>,
    beta: FloatTensor<B>,
    eps: f32,
) -> FloatTensor<B> {
    let mean = B::float_mean_dim(x.clone(), 1);
    let centred = B::float_sub(x, mean);
    let variance = B::float_mean_dim(B::float_mul(centred.clone(), centred.clone()), 1);
    let deviation = B::float_sqrt(B::float_add_scalar(variance, eps.into()));
    let scaled = B::float_mul(B::float_div(centred, deviation), row::<B>(gamma));
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

fn attention_on<B: Backend>(
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

#[cfg(test)]
mod tests {
    use super::exp;

    #[test]
    fn exp_is_as_exact_as_floats_are() {
        for i in -870_000..=880_000 {
            let x = i as f32 * 1e-4;
            let truth = f64::from(x).exp();
            let error = (f64::from(exp(x)) - truth).abs() / truth;
            assert!(error <= 2.0 * f64::from(f32::EPSILON), "{x}: {error:e}");
        }
        assert!(exp(f32::NAN).is_nan());
        assert!(exp(f32::INFINITY) > 1e38 && exp(f32::NEG_INFINITY) < 1e-37);
    }
}
