//! The Rust side of `shaders/`: the frozen layers of a CLIP as values that hold their weights where
//! they are used, packed on a GPU and as f32 on the CPU backend.
//!
//! [`Linear`], [`LayerNorm`] and [`attention`] are one interface over two implementations: this
//! crate's WGSL on a wgpu device, elsewhere [`plain`] Burn operations, with passes of its own
//! ([`cpu`], [`rows`]) where a formula would be many of them. All are differentiable in their activations
//! and never in their weights, except the layers of a model in training, which are native only
//! (`trained`).

mod activation;
pub mod activation_kernel;
pub mod attention_kernel;
pub mod check;
pub mod cpu;
pub mod depthwise;
pub mod launch;
pub mod layer_norm_kernel;
pub mod linear_kernel;
mod mean_rows;
pub mod photo;
pub mod plain;
pub mod rows;
pub mod source;
#[cfg(feature = "stock")]
mod stock;
mod tensor;
#[cfg(not(target_arch = "wasm32"))]
pub mod trained;

pub use activation::Activation;
pub use depthwise::{Depthwise, Squares, same_padding};
pub use mean_rows::mean_rows;
pub use tensor::{floats, read};

use burn::backend::wgpu::{CubeBackend, CubeTensor};
use burn::backend::{Autodiff, DispatchDevice};
use burn::tensor::{DType, Device, Float, Int, Tensor, TensorData};

use crate::error::{Error, Kind, Result};
use crate::quant::{HostTensor, Packed};

/// Whether this crate's kernels run on `device`.
pub fn is_gpu(device: &Device) -> bool {
    matches!(
        device.clone().inner().as_dispatch(),
        DispatchDevice::Cube(_)
    )
}

fn primitive<const D: usize>(x: Tensor<D>) -> CubeTensor {
    x.try_into_primitive::<CubeBackend>()
        .expect("the tensor lives on the GPU that its layer was built for")
}

fn tracked<const D: usize>(
    x: Tensor<D>,
) -> <Autodiff<CubeBackend> as burn::backend::BackendTypes>::FloatTensorPrimitive {
    x.autodiff()
        .try_into_primitive::<Autodiff<CubeBackend>>()
        .expect("the tensor lives on the GPU that its layer was built for")
}

fn from_primitive<const D: usize>(x: CubeTensor) -> Tensor<D> {
    Tensor::<D, Float>::from_primitive::<CubeBackend>(x)
}

fn from_tracked<const D: usize>(
    x: <Autodiff<CubeBackend> as burn::backend::BackendTypes>::FloatTensorPrimitive,
) -> Tensor<D> {
    Tensor::<D, Float>::from_primitive::<Autodiff<CubeBackend>>(x)
}

fn words(values: Vec<i32>, shape: [usize; 2], device: &Device) -> CubeTensor {
    let data = TensorData::new(values, shape);
    Tensor::<2, Int>::from_data(data, (device, DType::I32))
        .try_into_primitive::<CubeBackend>()
        .expect("the tensor was made on this GPU")
}

/// Sends `tensor` on its way to the GPU. The runtime gathers dozens of tensors before it does that by
/// itself, whatever their size, and keeps them in host memory until then.
fn send(tensor: &CubeTensor) {
    // A lost device is told by the next read.
    let _ = tensor.client.flush();
}

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

/// A LayerNorm over the last dimension.
#[derive(Clone, Debug)]
pub enum LayerNorm {
    /// Ordinary operations.
    Plain {
        /// Scale [W].
        gamma: Tensor<1>,
        /// Shift [W].
        beta: Tensor<1>,
        /// Added to the variance.
        eps: f32,
    },
    /// This crate's kernels.
    Gpu(layer_norm_kernel::Norm),
    /// Differentiates in scale and shift too.
    #[cfg(not(target_arch = "wasm32"))]
    Trained {
        /// Scale [W].
        gamma: Tensor<1>,
        /// Shift [W].
        beta: Tensor<1>,
        /// Added to the variance.
        eps: f32,
    },
}

impl LayerNorm {
    /// A LayerNorm from its scale and shift [W].
    ///
    /// # Errors
    /// `weights/wrong-shape` if they differ in length.
    pub fn new(gamma: Vec<f32>, beta: Vec<f32>, eps: f32, device: &Device) -> Result<Self> {
        if gamma.len() != beta.len() {
            return Err(Error::new(
                Kind::WeightsWrongShape,
                "A LayerNorm's weight and bias differ in length.",
            ));
        }
        let width = gamma.len();
        let (gamma, beta) = (
            floats(gamma, [width], device),
            floats(beta, [width], device),
        );
        Ok(if is_gpu(device) && !cfg!(feature = "stock") {
            Self::Gpu(layer_norm_kernel::Norm {
                gamma: primitive(gamma),
                beta: primitive(beta),
                eps,
            })
        } else {
            Self::Plain { gamma, beta, eps }
        })
    }

    /// x [R, W] -> [R, W].
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Plain { gamma, beta, eps } => {
                plain::layer_norm(x, gamma.clone(), beta.clone(), *eps)
            }
            #[cfg(not(target_arch = "wasm32"))]
            Self::Trained { gamma, beta, eps } => {
                trained::layer_norm(x, gamma.clone(), beta.clone(), *eps)
            }
            Self::Gpu(norm) if x.is_autodiff() => {
                from_tracked(layer_norm_kernel::track(tracked(x), norm))
            }
            Self::Gpu(norm) => from_primitive(layer_norm_kernel::infer(primitive(x), norm)),
        }
    }
}

/// Multi-head attention over qkv [B, T, 3 W]; prefix [P, 3 W] holds keys and values that every batch
/// entry sees before its own; with `causal`, row i sees the prefix and rows 0..=i -> [B, T, W].
pub fn attention(
    qkv: Tensor<3>,
    prefix: Option<Tensor<2>>,
    heads: usize,
    causal: bool,
) -> Tensor<3> {
    #[cfg(feature = "stock")]
    if stock::takes(&qkv) {
        return stock::attention(qkv, prefix, heads, causal);
    }
    if !is_gpu(&qkv.device()) {
        return match prefix {
            Some(prefix) => plain::attention(qkv, Some(prefix), heads, causal),
            None => cpu::attention(qkv, heads, causal),
        };
    }
    if qkv.is_autodiff() || prefix.as_ref().is_some_and(Tensor::is_autodiff) {
        return from_tracked(attention_kernel::track(
            tracked(qkv),
            prefix.map(tracked),
            heads,
            causal,
        ));
    }
    from_primitive(attention_kernel::infer(
        primitive(qkv),
        prefix.map(primitive),
        heads,
        causal,
    ))
}
