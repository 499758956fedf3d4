//! The layers against ordinary Burn operations on the CPU.

use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor};
use promptlens::clip::efficientnet::Stem;
use promptlens::kernels::check::{tensor, values};
use promptlens::kernels::{Depthwise, Placement, Squares, same_padding};

use super::host;
use crate::common::relative_error;

/// `relu6(conv(x) + b)` with SAME padding of x [B S S, C] -> rows [B S' S', N].
fn reference(
    x: Tensor<2>,
    squares: Squares,
    weight: Tensor<4>,
    bias: Tensor<1>,
    stride: usize,
    groups: usize,
) -> Tensor<2> {
    let Squares { batch, side } = squares;
    let channels = x.dims()[1];
    let kernel = weight.dims()[2];
    let (out, before) = same_padding(side, kernel, stride);
    let after = ((out - 1) * stride + kernel).saturating_sub(side + before);
    let x = x
        .reshape([batch, side, side, channels])
        .permute([0, 3, 1, 2]);
    let wide = [
        batch,
        channels,
        side + before + after,
        side + before + after,
    ];
    let inside = [
        0..batch,
        0..channels,
        before..before + side,
        before..before + side,
    ];
    let x = Tensor::<4>::zeros(wide, &x.device()).slice_assign(inside, x);
    let options = ConvOptions::new([stride, stride], [0, 0], [1, 1], groups);
    let y = conv2d(x, weight, Some(bias), options).clamp(0.0, 6.0);
    let outputs = y.dims()[1];
    y.permute([0, 2, 3, 1])
        .reshape([batch * out * out, outputs])
}

#[test]
fn depthwise_is_burns_convolution() {
    let device = Device::flex();
    for kernel in [3, 5] {
        for stride in [1, 2] {
            for (channels, side) in [(1, 1), (16, 2), (32, 7), (17, 10), (48, 13)] {
                let squares = Squares { batch: 2, side };
                let x = tensor([2 * side * side, channels], 1, &device) * 4.0;
                let weight = values(channels * kernel * kernel, 2);
                let bias = values(channels, 3);
                let layer = Depthwise::new(&weight, bias.clone(), stride, &device);
                let (found, after) = layer.forward(x.clone(), squares);
                assert_eq!(after.side, side.div_ceil(stride));
                let weight = tensor([channels, 1, kernel, kernel], 2, &device);
                let bias = tensor([channels], 3, &device);
                let expected = reference(x, squares, weight, bias, stride, channels);
                let error = relative_error(&host(found), &host(expected));
                assert!(
                    error <= 1e-6,
                    "{kernel}/{stride} {channels}x{side}: {error:e}"
                );
            }
        }
    }
}

#[test]
fn the_stem_is_burns_convolution() {
    let device = Device::flex();
    for side in [1, 4, 7, 32] {
        let squares = Squares { batch: 3, side };
        let x = tensor([3 * side * side, 3], 1, &device) * 4.0;
        let stem = Stem::new(&values(32 * 27, 2), values(32, 3), side, &Placement::cpu());
        let (found, _) = stem.forward(x.clone());
        let weight = tensor([32, 3, 3, 3], 2, &device);
        let expected = reference(x, squares, weight, tensor([32], 3, &device), 2, 1);
        let error = relative_error(&host(found), &host(expected));
        assert!(error <= 1e-6, "{side}: {error:e}");
    }
}
