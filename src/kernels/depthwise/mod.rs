//! Depthwise convolutions of square images with TensorFlow's SAME padding, bias and ReLU6 in one
//! pass. Not differentiable: the towers that have them are frozen.

pub mod cases;
mod cpu;
mod gpu;
pub mod reference;

use burn::tensor::{Device, Tensor};

use super::primitive::{from_primitive, is_gpu, primitive};

/// Square images of equal size in the rows of a tensor [batch side side, C].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Squares {
    /// Images.
    pub batch: usize,
    /// Rows and columns of pixels.
    pub side: usize,
}

/// The side after a convolution and the padding before the first pixel, as TensorFlow's SAME has
/// them: the output has `side / stride` pixels, rounded up, and what is odd of the padding goes
/// behind.
pub const fn same_padding(side: usize, kernel: usize, stride: usize) -> (usize, usize) {
    let out = side.div_ceil(stride);
    let padding = ((out - 1) * stride + kernel).saturating_sub(side);
    (out, padding / 2)
}

/// `relu6(dw(x) + b)` with a kernel of its own for every channel.
#[derive(Clone, Debug)]
pub struct Depthwise {
    weights: Weights,
    kernel: usize,
    stride: usize,
}

#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "one value for each layer of a model, never moved in bulk"
)]
enum Weights {
    /// Taps row by row [k k, C], and biases [C].
    Cpu(Vec<f32>, Vec<f32>),
    /// This crate's kernel.
    Gpu(gpu::Layer),
}

impl Depthwise {
    /// From the weights [C, 1, k, k] of a convolution and its biases [C]. On a GPU, C is a multiple of
    /// four, as it is in every size of EfficientNet-Lite.
    pub fn new(weight: &[f32], bias: Vec<f32>, stride: usize, device: &Device) -> Self {
        let channels = bias.len();
        let taps = weight.len() / channels;
        // Taps become the rows, so that a row holds neighbors in memory for neighbors in x.
        let transposed = (0..taps)
            .flat_map(|tap| (0..channels).map(move |channel| weight[channel * taps + tap]))
            .collect();
        let weights = if is_gpu(device) {
            Weights::Gpu(gpu::Layer::new(transposed, bias, device))
        } else {
            Weights::Cpu(transposed, bias)
        };
        Self {
            weights,
            kernel: taps.isqrt(),
            stride,
        }
    }

    /// x [B S S, C] of `squares` -> [B S' S', C] and their squares.
    pub fn forward(&self, x: Tensor<2>, squares: Squares) -> (Tensor<2>, Squares) {
        let (side, _) = same_padding(squares.side, self.kernel, self.stride);
        let out = Squares { side, ..squares };
        let y = match &self.weights {
            Weights::Cpu(weight, bias) => {
                cpu::forward(x, squares, weight, bias, self.kernel, self.stride)
            }
            Weights::Gpu(layer) => {
                let x = primitive(x);
                from_primitive(layer.forward(x, squares, self.kernel, self.stride))
            }
        };
        (y, out)
    }
}
