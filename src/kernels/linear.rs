//! A linear layer over each of its implementations.

use burn::tensor::{Device, Tensor};

use super::primitive::{from_primitive, from_tracked, is_gpu, primitive, send, tracked, words};
#[cfg(not(target_arch = "wasm32"))]
use super::trained;
use super::{Activation, activation_kernel, floats, linear_kernel, plain};
use crate::quant::{HostTensor, Packed};

/// A linear layer `y = x Wᵀ + b`.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "one value for each layer of a model, never moved in bulk"
)]
pub enum Linear {
    /// Ordinary operations on f32 weights [N, K].
    Plain {
        /// [N, K].
        weight: Tensor<2>,
        /// [N], or none.
        bias: Option<Tensor<1>>,
    },
    /// This crate's kernels.
    Gpu(linear_kernel::Layer),
    /// Differentiates in the weights too.
    #[cfg(not(target_arch = "wasm32"))]
    Trained {
        /// [N, K].
        weight: Tensor<2>,
        /// [N], or none.
        bias: Option<Tensor<1>>,
    },
}

impl Linear {
    /// A layer from a matrix [N, K] in host memory, packed or not, and an optional bias [N]. On the
    /// CPU backend a packed matrix is dequantized, so that it answers with the same weights.
    pub fn new(weight: HostTensor, bias: Option<Vec<f32>>, device: &Device) -> Self {
        let shape = weight.shape().to_vec();
        let (n, k) = (shape[0], shape[1..].iter().product::<usize>());
        let mut layer = if is_gpu(device) && !cfg!(feature = "stock") {
            let (weight, k_padded) = match weight {
                HostTensor::Float { data, .. } => {
                    let padded = k.next_multiple_of(4);
                    let rows = pad_rows(data, k, padded);
                    (
                        linear_kernel::Weight::Dense(primitive(floats(rows, [n, padded], device))),
                        padded,
                    )
                }
                HostTensor::Packed { packed, .. } => {
                    let padded = k.next_multiple_of(packed.block);
                    (upload(packed, device), padded)
                }
            };
            send(match &weight {
                linear_kernel::Weight::Dense(matrix) => matrix,
                linear_kernel::Weight::Packed { words, .. } => words,
            });
            Self::Gpu(linear_kernel::Layer {
                weight,
                bias: None,
                n,
                k,
                k_padded,
            })
        } else {
            Self::Plain {
                weight: floats(weight.into_floats(), [n, k], device),
                bias: None,
            }
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
            Self::Plain { bias, .. } => *bias = Some(values),
            #[cfg(not(target_arch = "wasm32"))]
            Self::Trained { bias, .. } => *bias = Some(values),
            Self::Gpu(layer) => layer.bias = Some(primitive(values)),
        }
    }

    /// Whether there is a bias.
    pub fn has_bias(&self) -> bool {
        match self {
            Self::Plain { bias, .. } => bias.is_some(),
            #[cfg(not(target_arch = "wasm32"))]
            Self::Trained { bias, .. } => bias.is_some(),
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
            Self::Plain { weight, bias } if is_untracked(&x, residual.as_ref()) => {
                plain::layer(x, weight.clone(), bias.clone(), act, residual)
            }
            Self::Plain { weight, bias } => {
                let y = plain::linear(x, weight.clone(), bias.clone());
                let y = match act {
                    Some(act) => plain::activate(y, act),
                    None => y,
                };
                match residual {
                    Some(residual) => residual + y,
                    None => y,
                }
            }
            #[cfg(not(target_arch = "wasm32"))]
            Self::Trained { weight, bias } => {
                let y = trained::linear(x, weight.clone(), bias.clone());
                let y = match act {
                    Some(act) => trained::activate(y, act),
                    None => y,
                };
                match residual {
                    Some(residual) => residual + y,
                    None => y,
                }
            }
            Self::Gpu(layer) if x.is_autodiff() => {
                let mut y = linear_kernel::track(tracked(x), layer);
                if let Some(act) = act {
                    y = activation_kernel::track(y, act);
                }
                let y = from_tracked(y);
                match residual {
                    Some(residual) => residual + y,
                    None => y,
                }
            }
            Self::Gpu(layer) => from_primitive(linear_kernel::infer(
                primitive(x),
                layer,
                act,
                residual.map(primitive),
            )),
        }
    }
}

/// Whether a layer on the CPU can leave the tape out.
fn is_untracked(x: &Tensor<2>, residual: Option<&Tensor<2>>) -> bool {
    !cfg!(feature = "stock") && !x.is_autodiff() && !residual.is_some_and(Tensor::is_autodiff)
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

fn upload(packed: Packed, device: &Device) -> linear_kernel::Weight {
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
    linear_kernel::Weight::Packed {
        bits,
        words: words(
            packed.words.into_iter().map(|w| w as i32).collect(),
            [rows, per_row],
            device,
        ),
        scales: words(scales, [rows, pairs], device),
    }
}
