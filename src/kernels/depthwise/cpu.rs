//! The CPU form: a pass over rows in the widest vectors of the processor.

use burn::backend::Flex;
use burn::tensor::{Float, Tensor};

use super::super::cpu::{Values, slice, values};
use super::super::rows::with_simd;
use super::{Squares, same_padding};

/// Channels that are summed together: 16 values are one line of the cache.
const LANES: usize = 16;

/// See [`super::Depthwise::forward`]; weight [k k, C].
pub fn forward(
    x: Tensor<2>,
    squares: Squares,
    weight: &[f32],
    bias: &[f32],
    kernel: usize,
    stride: usize,
) -> Tensor<2> {
    let x: Values = x
        .try_into_primitive::<Flex>()
        .expect("the tensor lives on the CPU backend");
    let x = x.to_contiguous();
    let channels = bias.len();
    let (side, before) = same_padding(squares.side, kernel, stride);
    let mut y = vec![0f32; squares.batch * side * side * channels];
    let convolution = Convolution {
        weight,
        bias,
        kernel,
        stride,
        before,
        side: squares.side,
        out: side,
    };
    let images = slice(&x).chunks_exact(squares.side * squares.side * channels);
    with_simd(
        #[inline(always)]
        || {
            for (x, y) in images.zip(y.chunks_exact_mut(side * side * channels)) {
                convolution.image(x, y);
            }
        },
    );
    let y = values(y, [squares.batch * side * side, channels]);
    Tensor::<2, Float>::from_primitive::<Flex>(y)
}

struct Convolution<'a> {
    weight: &'a [f32],
    bias: &'a [f32],
    kernel: usize,
    stride: usize,
    before: usize,
    side: usize,
    out: usize,
}

impl Convolution<'_> {
    #[inline(always)]
    fn image(&self, x: &[f32], y: &mut [f32]) {
        let channels = self.bias.len();
        let whole = channels - channels % LANES;
        for row in 0..self.out {
            let y = &mut y[row * self.out * channels..][..self.out * channels];
            for first in (0..whole).step_by(LANES) {
                for column in 0..self.out {
                    let sums = self.pixel::<LANES>(x, [row, column], first);
                    y[column * channels + first..][..LANES].copy_from_slice(&sums);
                }
            }
            for first in whole..channels {
                for column in 0..self.out {
                    [y[column * channels + first]] = self.pixel::<1>(x, [row, column], first);
                }
            }
        }
    }

    /// One output pixel of the channels from `first`.
    #[inline(always)]
    fn pixel<const N: usize>(
        &self,
        x: &[f32],
        [row, column]: [usize; 2],
        first: usize,
    ) -> [f32; N] {
        let channels = self.bias.len();
        let mut sums = [0f32; N];
        sums.copy_from_slice(&self.bias[first..][..N]);
        let (rows, columns) = (self.taps(row), self.taps(column));
        for ky in rows {
            let line = row * self.stride + ky - self.before;
            for kx in columns.clone() {
                let place = line * self.side + column * self.stride + kx - self.before;
                let x = &x[place * channels + first..][..N];
                let w = &self.weight[(ky * self.kernel + kx) * channels + first..][..N];
                for ((sum, x), w) in sums.iter_mut().zip(x).zip(w) {
                    *sum += x * w;
                }
            }
        }
        sums.map(|sum| sum.clamp(0.0, 6.0))
    }

    /// The taps that lie inside of the image for an output row or column.
    #[inline(always)]
    fn taps(&self, out: usize) -> std::ops::Range<usize> {
        let start = out * self.stride;
        let first = self.before.saturating_sub(start);
        first..self.kernel.min(self.side + self.before - start)
    }
}
