//! `depthwise` over kernels, strides and sizes.

use super::{Depthwise, Squares, reference};
use crate::kernels::check::draw::Draw;
use crate::kernels::check::{Case, values};
use crate::kernels::{floats, is_gpu};

/// Images, their side and channels: one pixel, sides that no group of neighbors divides, Lite0's first
/// and last.
const SHAPES: &[[usize; 3]] = &[
    [1, 1, 4],
    [2, 2, 8],
    [3, 7, 20],
    [1, 13, 32],
    [1, 80, 32],
    [2, 5, 1152],
];

const DRAWS: usize = 8;
/// Values of one draw.
const WORK: usize = 100_000;

fn on([batch, side, channels]: [usize; 3], kernel: usize, stride: usize, drawn: &str) -> Case {
    let name =
        format!("depthwise {drawn}{batch}x{side}x{side}x{channels} {kernel}x{kernel}/{stride}");
    Case::new(name, 1e-5, move |on| {
        let rows = batch * side * side;
        // Larger than 1, so that ReLU6 cuts some off.
        let x: Vec<f32> = values(rows * channels, 1).iter().map(|v| v * 4.0).collect();
        let x = floats(x, [rows, channels], &on.device);
        let squares = Squares { batch, side };
        let (weight, bias) = (values(channels * kernel * kernel, 2), values(channels, 3));
        if !is_gpu(&on.device) {
            return reference::depthwise(x, squares, &weight, bias, stride);
        }
        let layer = Depthwise::new(&weight, bias, stride, &on.device);
        layer.forward(x, squares).0
    })
}

/// The fixed shapes, and draws of `seed`.
pub fn cases(seed: u32) -> Vec<Case> {
    let mut cases = Vec::new();
    for shape in SHAPES.iter().copied() {
        for kernel in [3, 5] {
            cases.extend([1, 2].map(|stride| on(shape, kernel, stride, "")));
        }
    }
    cases.extend(Draw::several(seed, DRAWS, WORK).map(|mut draw| {
        let side = draw.size(&[1, 2, 3, 5, 10], 60);
        draw.spend(side);
        let channels = 4 * draw.size(&[1, 4, 24], 288);
        let batch = draw.size(&[1, 2], 8);
        let kernel = draw.one_of(&[3, 5]);
        let stride = draw.one_of(&[1, 2]);
        on([batch, side, channels], kernel, stride, &draw.name)
    }));
    cases
}
