//! The CPU form: a pass over rows in the widest vectors of the processor.

use burn::tensor::Tensor;

use super::{Squares, same_padding};
use crate::kernels::cpu_tensor::{from_untracked, slice, untracked, values};
use crate::kernels::simd::with_simd;

/// Channels that are summed together. The sums of [`PIXELS`] pixels and one tap of so many channels fit
/// into the processor's vector registers.
const LANES: usize = if cfg!(target_arch = "wasm32") { 8 } else { 16 };

/// Neighboring pixels that are summed together, so that a tap is loaded once for all of them.
const PIXELS: usize = 4;

/// See [`super::Depthwise::forward`]; weight [k k, C].
pub fn forward(
    x: Tensor<2>,
    squares: Squares,
    weight: &[f32],
    bias: &[f32],
    kernel: usize,
    stride: usize,
) -> Tensor<2> {
    let x = untracked(x).to_contiguous();
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
    from_untracked(y)
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
                self.line::<LANES>(x, y, row, first);
            }
            for first in whole..channels {
                self.line::<1>(x, y, row, first);
            }
        }
    }

    /// The channels from `first` of an output row.
    #[inline(always)]
    fn line<const N: usize>(&self, x: &[f32], y: &mut [f32], row: usize, first: usize) {
        let inside = self.inside();
        let mut column = 0;
        while column < self.out {
            let inside = if column < inside.start {
                0
            } else {
                inside.end.saturating_sub(column)
            };
            if inside >= PIXELS {
                self.pixels::<N, PIXELS>(x, y, [row, column], first);
                column += PIXELS;
            } else if inside >= 2 {
                self.pixels::<N, 2>(x, y, [row, column], first);
                column += 2;
            } else {
                self.pixels::<N, 1>(x, y, [row, column], first);
                column += 1;
            }
        }
    }

    /// `P` output pixels from `column` on, of the channels from `first`. All have the taps of the
    /// first.
    #[inline(always)]
    fn pixels<const N: usize, const P: usize>(
        &self,
        x: &[f32],
        y: &mut [f32],
        [row, column]: [usize; 2],
        first: usize,
    ) {
        let channels = self.bias.len();
        let mut bias = [0f32; N];
        bias.copy_from_slice(&self.bias[first..][..N]);
        let mut sums = [bias; P];
        let (rows, columns) = (self.taps(row), self.taps(column));
        for ky in rows {
            let line = row * self.stride + ky - self.before;
            for kx in columns.clone() {
                let place = line * self.side + column * self.stride + kx - self.before;
                let w = &self.weight[(ky * self.kernel + kx) * channels + first..][..N];
                for (pixel, sums) in sums.iter_mut().enumerate() {
                    let x = &x[(place + pixel * self.stride) * channels + first..][..N];
                    for ((sum, x), w) in sums.iter_mut().zip(x).zip(w) {
                        *sum += x * w;
                    }
                }
            }
        }
        for (pixel, sums) in sums.into_iter().enumerate() {
            let y = &mut y[(column + pixel) * channels + first..][..N];
            y.copy_from_slice(&sums.map(|sum| sum.clamp(0.0, 6.0)));
        }
    }

    /// The output columns whose taps all lie inside of the image.
    #[inline(always)]
    fn inside(&self) -> std::ops::Range<usize> {
        let first = self.before.div_ceil(self.stride);
        let last = (self.side + self.before).saturating_sub(self.kernel) / self.stride;
        first..(last + 1).min(self.out)
    }

    /// The taps that lie inside of the image for an output row or column.
    #[inline(always)]
    fn taps(&self, out: usize) -> std::ops::Range<usize> {
        let start = out * self.stride;
        let first = self.before.saturating_sub(start);
        first..self.kernel.min(self.side + self.before - start)
    }
}
