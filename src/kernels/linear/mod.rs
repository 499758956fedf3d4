//! A linear layer with an activation and a residual fused into it.

pub mod cases;
pub mod cpu;
pub mod gpu;
pub mod reference;
#[cfg(not(target_arch = "wasm32"))]
pub mod trained;

use burn::tensor::{Device, Tensor};

use super::activation::{self, Activation};
use super::primitive::{from_primitive, from_tracked, is_gpu, primitive, send, tracked, words};
#[cfg(feature = "stock")]
use super::stock;
use super::{Placement, floats};
use crate::quant::{HostTensor, Packed};

/// A linear layer `y = x Wᵀ + b`.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "one value for each layer of a model, never moved in bulk"
)]
pub enum Linear {
    /// Frozen f32 weights, for Burn operations.
    Frozen(Dense),
    /// Frozen weights for this crate's kernels, packed or not.
    Gpu(gpu::Layer),
    /// Weights that are differentiated too.
    #[cfg(not(target_arch = "wasm32"))]
    Trained(Dense),
}

/// Weights as tensors of their device.
#[derive(Clone, Debug)]
pub struct Dense {
    /// [N, K].
    pub weight: Tensor<2>,
    /// [N], or `None`.
    pub bias: Option<Tensor<1>>,
}

impl Linear {
    /// A layer from a matrix [N, K] in host memory, packed or not, and an optional bias [N]. On the
    /// CPU backend a packed matrix is dequantized, so that it answers with the same weights.
    pub fn new(weight: HostTensor, bias: Option<Vec<f32>>, on: &Placement) -> Self {
        let device = &on.device;
        let mut layer = if is_gpu(device) && !cfg!(feature = "stock") {
            Self::Gpu(upload(weight, on))
        } else {
            let (n, k) = sizes(&weight);
            Self::Frozen(Dense {
                weight: floats(weight.into_floats(), [n, k], device),
                bias: None,
            })
        };
        if let Some(bias) = bias {
            layer.set_bias(bias, device);
        }
        layer
    }

    /// Gives the layer a bias [N], which may come later than its matrix.
    pub fn set_bias(&mut self, values: Vec<f32>, device: &Device) {
        let n = values.len();
        let values = floats(values, [n], device);
        match self {
            Self::Frozen(dense) => dense.bias = Some(values),
            #[cfg(not(target_arch = "wasm32"))]
            Self::Trained(dense) => dense.bias = Some(values),
            Self::Gpu(layer) => layer.bias = Some(primitive(values)),
        }
    }

    /// Whether there is a bias.
    pub fn has_bias(&self) -> bool {
        match self {
            Self::Frozen(dense) => dense.bias.is_some(),
            #[cfg(not(target_arch = "wasm32"))]
            Self::Trained(dense) => dense.bias.is_some(),
            Self::Gpu(layer) => layer.bias.is_some(),
        }
    }

    /// act(x Wᵀ + b) + residual: x [M, K], residual [M, N] -> [M, N].
    pub fn forward(
        &self,
        x: Tensor<2>,
        act: Option<Activation>,
        residual: Option<Tensor<2>>,
    ) -> Tensor<2> {
        match self {
            Self::Frozen(Dense { weight, bias }) if is_untracked(&x, residual.as_ref()) => {
                cpu::forward(x, weight.clone(), bias.clone(), act, residual)
            }
            Self::Gpu(layer) if !x.is_autodiff() => {
                let residual = residual.map(primitive);
                from_primitive(gpu::infer(primitive(x), layer, act, residual))
            }
            _ => {
                let mut y = self.product(x);
                if let Some(act) = act {
                    y = self.activate(y, act);
                }
                match residual {
                    Some(residual) => residual + y,
                    None => y,
                }
            }
        }
    }

    /// x Wᵀ + b as a node of the tape.
    fn product(&self, x: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Frozen(Dense { weight, bias }) => {
                #[cfg(feature = "stock")]
                if stock::takes(&x) {
                    return stock::linear(x, weight.clone(), bias.clone());
                }
                reference::linear(x, weight.clone(), bias.clone())
            }
            Self::Gpu(layer) => from_tracked(gpu::track(tracked(x), layer)),
            #[cfg(not(target_arch = "wasm32"))]
            Self::Trained(Dense { weight, bias }) => {
                trained::linear(x, weight.clone(), bias.clone())
            }
        }
    }

    fn activate(&self, y: Tensor<2>, act: Activation) -> Tensor<2> {
        match self {
            #[cfg(not(target_arch = "wasm32"))]
            Self::Trained(_) => activation::trained::activate(y, act),
            _ => activation::activate(y, act),
        }
    }
}

/// Whether a layer on the CPU can leave the tape out.
fn is_untracked(x: &Tensor<2>, residual: Option<&Tensor<2>>) -> bool {
    !cfg!(feature = "stock") && !x.is_autodiff() && !residual.is_some_and(Tensor::is_autodiff)
}

/// Outputs N and inputs K of a weight [N, ...].
fn sizes(weight: &HostTensor) -> (usize, usize) {
    let shape = weight.shape();
    (shape[0], shape[1..].iter().product())
}

/// The layer on a GPU, without its bias.
fn upload(weight: HostTensor, on: &Placement) -> gpu::Layer {
    let (n, k) = sizes(&weight);
    let (weight, k_padded) = match weight {
        HostTensor::Float { data, .. } => {
            let padded = k.next_multiple_of(4);
            let rows = pad_rows(data, k, padded);
            let matrix = primitive(floats(rows, [n, padded], &on.device));
            (gpu::Weight::Dense(matrix), padded)
        }
        HostTensor::Packed { packed, .. } => {
            let padded = k.next_multiple_of(packed.block);
            (upload_packed(packed, &on.device), padded)
        }
    };
    send(match &weight {
        gpu::Weight::Dense(matrix) => matrix,
        gpu::Weight::Packed { words, .. } => words,
    });
    gpu::Layer {
        weight,
        bias: None,
        n,
        k,
        k_padded,
        tiling: on.tiling,
    }
}

fn pad_rows(data: Vec<f32>, k: usize, padded: usize) -> Vec<f32> {
    if k == padded {
        return data;
    }
    data.chunks(k)
        .flat_map(|row| {
            row.iter()
                .copied()
                .chain(std::iter::repeat_n(0.0, padded - k))
        })
        .collect()
}

fn upload_packed(packed: Packed, device: &Device) -> gpu::Weight {
    let rows = packed.rows;
    let per_row = packed.words.len() / rows;
    let blocks = packed.scales.len() / rows;
    let pairs = blocks.div_ceil(2);
    let scales = packed
        .scales
        .chunks(blocks)
        .flat_map(|row| row.chunks(2))
        .map(|pair| (u32::from(pair[0]) | u32::from(*pair.get(1).unwrap_or(&0)) << 16) as i32)
        .collect();
    let bits = packed.bits;
    gpu::Weight::Packed {
        bits,
        words: words(
            packed.words.into_iter().map(|w| w as i32).collect(),
            [rows, per_row],
            device,
        ),
        scales: words(scales, [rows, pairs], device),
    }
}
