//! The first convolution: 3 x 3 pixels with stride 2, as a matrix product over gathered windows.

use burn::tensor::{DType, Int, Tensor, TensorData};

use crate::kernels::{Activation, Linear, Placement, Squares, same_padding};

const KERNEL: usize = 3;
const STRIDE: usize = 2;
const CHANNELS: usize = 3;

/// `relu6(W windows(x) + b)`.
#[derive(Clone, Debug)]
pub struct Stem {
    linear: Linear,
    /// For every value of the windows' rows, the row of the image that it comes from; the row behind
    /// the last is black.
    places: Tensor<1, Int>,
    side: usize,
}

impl Stem {
    /// From the weights [N, 3, 3, 3] of a convolution (outputs, channels, height, width) and its
    /// bias [N], for images of `side` pixels.
    pub fn new(weight: &[f32], bias: Vec<f32>, side: usize, placement: &Placement) -> Self {
        let taps = KERNEL * KERNEL;
        // Windows have the channels of a pixel side by side.
        let mut transposed = Vec::with_capacity(weight.len());
        for output in weight.chunks_exact(CHANNELS * taps) {
            for tap in 0..taps {
                transposed.extend((0..CHANNELS).map(|channel| output[channel * taps + tap]));
            }
        }
        let shape = vec![bias.len(), CHANNELS * taps];
        let weight = crate::quant::HostTensor::Float {
            shape,
            data: transposed,
        };
        let places = places(side);
        let count = places.len();
        Self {
            linear: Linear::new(weight, Some(bias), placement),
            places: Tensor::from_data(
                TensorData::new(places, [count]),
                (&placement.device, DType::I32),
            ),
            side,
        }
    }

    /// Pixels [B S S, 3] -> [B S' S', N] and their squares.
    pub fn forward(&self, pixels: Tensor<2>) -> (Tensor<2>, Squares) {
        let each = self.side * self.side;
        let batch = pixels.dims()[0] / each;
        let device = pixels.device();
        let black = Tensor::<3>::zeros([batch, 1, CHANNELS], (&device, DType::F32));
        let pixels = pixels.reshape([batch, each, CHANNELS]);
        let windows = Tensor::cat(vec![pixels, black], 1).select(1, self.places.clone());
        let side = self.side.div_ceil(STRIDE);
        let columns = KERNEL * KERNEL * CHANNELS;
        let windows = windows.reshape([batch * side * side, columns]);
        let y = self.linear.forward(windows, Some(Activation::Relu6), None);
        (y, Squares { batch, side })
    }
}

/// The pixel of each tap of each window of an image, row by row; `side * side` for the padding.
fn places(side: usize) -> Vec<i32> {
    let (out, before) = same_padding(side, KERNEL, STRIDE);
    let at = |window: usize, tap: usize| {
        (window * STRIDE + tap)
            .checked_sub(before)
            .filter(|place| *place < side)
    };
    let mut places = Vec::with_capacity(out * out * KERNEL * KERNEL);
    for y in 0..out {
        for x in 0..out {
            for ky in 0..KERNEL {
                for kx in 0..KERNEL {
                    let place = at(y, ky).zip(at(x, kx));
                    let place = place.map_or(side * side, |(y, x)| y * side + x);
                    // At most 2048^2.
                    places.push(place as i32);
                }
            }
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::places;

    #[test]
    fn windows_of_an_even_side_are_padded_behind() {
        // TensorFlow puts the only row of padding behind the last.
        assert_eq!(places(4)[..9], [0, 1, 2, 4, 5, 6, 8, 9, 10]);
        assert_eq!(places(4)[27..], [10, 11, 16, 14, 15, 16, 16, 16, 16]);
    }

    #[test]
    fn windows_of_an_odd_side_are_padded_on_both_sides() {
        assert_eq!(places(3)[..9], [9, 9, 9, 9, 0, 1, 9, 3, 4]);
    }
}
