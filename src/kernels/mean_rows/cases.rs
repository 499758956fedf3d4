//! `mean_rows` over groups and widths.

use super::{mean_rows, reference};
use crate::kernels::check::draw::Draw;
use crate::kernels::check::{Case, tensor};
use crate::kernels::is_gpu;

/// Groups, rows of each and columns: one of each, odd ones, and the last cells of a Lite0.
const SHAPES: &[[usize; 3]] = &[
    [1, 1, 4],
    [2, 4, 8],
    [3, 49, 20],
    [1, 169, 32],
    [1, 6400, 32],
    [2, 25, 1152],
];

const DRAWS: usize = 8;
/// Values of one draw.
const WORK: usize = 100_000;

fn on([groups, each, width]: [usize; 3], drawn: &str) -> Case {
    let name = format!("mean_rows {drawn}{groups}x{each}x{width}");
    Case::new(name, 1e-5, move |on| {
        let x = tensor([groups * each, width], 1, &on.device);
        match is_gpu(&on.device) {
            true => mean_rows(x, each),
            false => reference::mean_rows(x, each),
        }
    })
}

/// The fixed shapes, and draws of `seed`.
pub fn cases(seed: u32) -> Vec<Case> {
    let fixed = SHAPES.iter().map(|shape| on(*shape, ""));
    let drawn = Draw::several(seed, DRAWS, WORK).map(|mut draw| {
        let width = draw.size(&[1, 3, 4, 64], 1280);
        let each = draw.size(&[1, 2, 25, 49], 400);
        let groups = draw.size(&[1, 2], 64);
        on([groups, each, width], &draw.name)
    });
    fixed.chain(drawn).collect()
}
