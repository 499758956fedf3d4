//! The Rust side of `shaders/depthwise.wgsl`.

use burn::backend::wgpu::CubeTensor;
use burn::tensor::Device;

use super::{Squares, same_padding};
use crate::kernels::floats;
use crate::kernels::launch::{Kernel, contiguous, dispatch_grid, empty, launch};
use crate::kernels::primitive::primitive;
use crate::kernels::source::Constants;

const WORKGROUP: usize = 64;
/// Neighbors in a row of the output that one invocation owns: all of them read a weight once.
const PIXELS: usize = 4;
/// Channels of a vector.
pub const VECTOR: usize = 4;

/// Weights on the GPU.
#[derive(Clone, Debug)]
pub struct Layer {
    /// [k k, C].
    weight: CubeTensor,
    /// [C].
    bias: CubeTensor,
}

impl Layer {
    /// From taps [k k, C] and biases [C]; C is a multiple of [`VECTOR`].
    pub fn new(weight: Vec<f32>, bias: Vec<f32>, device: &Device) -> Self {
        let channels = bias.len();
        let taps = weight.len() / channels;
        Self {
            weight: contiguous(primitive(floats(weight, [taps, channels], device))),
            bias: contiguous(primitive(floats(bias, [channels], device))),
        }
    }

    /// See [`super::Depthwise::forward`].
    pub fn forward(
        &self,
        x: CubeTensor,
        squares: Squares,
        kernel: usize,
        stride: usize,
    ) -> CubeTensor {
        let x = contiguous(x);
        let channels = self.bias.meta.shape()[0];
        let (out, before) = same_padding(squares.side, kernel, stride);
        let lines = squares.batch * out;
        let y = empty(&x, [lines * out, channels]);
        let items = lines * out.div_ceil(PIXELS) * (channels / VECTOR);
        let buffers = [&x, &self.weight, &self.bias, &y];
        let constants = Constants::from([
            ("WORKGROUP", WORKGROUP.to_string()),
            ("PIXELS", PIXELS.to_string()),
            ("PARAMS", buffers.len().to_string()),
        ]);
        let sizes = [
            items,
            squares.side,
            out,
            channels / VECTOR,
            kernel,
            stride,
            before,
        ];
        launch(
            Kernel {
                name: "depthwise",
                source: include_str!("../../../shaders/depthwise.wgsl"),
                constants,
                workgroup: [WORKGROUP as u32, 1, 1],
            },
            dispatch_grid(items, WORKGROUP),
            &buffers,
            &sizes.map(Into::into),
        );
        y
    }
}
