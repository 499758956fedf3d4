//! The convolution as Burn operations: for each tap a strided slice of the padded image.

use burn::backend::ops::FloatTensorOps;
use burn::backend::{Flex, FloatDType};
use burn::tensor::{Shape, Slice, Tensor};

use super::{Squares, same_padding};
use crate::kernels::cpu_tensor::{from_untracked, untracked, values};

/// `relu6(dw(x) + b)` on the CPU backend: x [B S S, C], weight [C, 1, k, k] in its order, bias [C]
/// -> [B S' S', C].
pub fn depthwise(
    x: Tensor<2>,
    squares: Squares,
    weight: &[f32],
    bias: Vec<f32>,
    stride: usize,
) -> Tensor<2> {
    let Squares { batch, side } = squares;
    let channels = bias.len();
    let taps = weight.len() / channels;
    let kernel = taps.isqrt();
    let (out, before) = same_padding(side, kernel, stride);
    let x = Flex::float_reshape(untracked(x), Shape::from([batch, side, side, channels]));
    let wide = side.max((out - 1) * stride + kernel).max(before + side);
    let zeros = Flex::float_zeros(
        Shape::from([batch, wide, wide, channels]),
        &Default::default(),
        FloatDType::F32,
    );
    let inside = Slice::from(before..before + side);
    let all = |count: usize| Slice::from(0..count);
    let padded = Flex::float_slice_assign(zeros, &[all(batch), inside, inside, all(channels)], x);
    let row = |row: Vec<f32>| values(row, [1, 1, 1, channels]);
    let mut y = Flex::float_zeros(
        Shape::from([batch, out, out, channels]),
        &Default::default(),
        FloatDType::F32,
    );
    for tap in 0..taps {
        let from = |first: usize| {
            let end = first + (out - 1) * stride + 1;
            Slice::new(first as isize, Some(end as isize), stride as isize)
        };
        let slices = [
            all(batch),
            from(tap / kernel),
            from(tap % kernel),
            all(channels),
        ];
        let seen = Flex::float_slice(padded.clone(), &slices);
        let weights = (0..channels).map(|channel| weight[channel * taps + tap]);
        y = Flex::float_add(y, Flex::float_mul(seen, row(weights.collect())));
    }
    let y = Flex::float_clamp(Flex::float_add(y, row(bias)), 0f32.into(), 6f32.into());
    from_untracked(Flex::float_reshape(
        y,
        Shape::from([batch * out * out, channels]),
    ))
}
