//! `activation` forward and backward; `linear` has the fused forms.

use burn::tensor::Tensor;

use super::{Activation, activate, reference};
use crate::kernels::check::draw::Draw;
use crate::kernels::check::{Case, gradient, values};
use crate::kernels::{Placement, floats, is_gpu};

const ALL: [Activation; 3] = [Activation::QuickGelu, Activation::Gelu, Activation::Relu6];

/// Rows and columns: one value, odd ones, and CLIP's.
const SHAPES: &[[usize; 2]] = &[[1, 1], [3, 7], [50, 768]];

const DRAWS: usize = 8;
/// Values of one draw.
const WORK: usize = 100_000;

/// The kernel on a GPU, Burn operations on the CPU.
fn apply(x: Tensor<2>, act: Activation) -> Tensor<2> {
    match is_gpu(&x.device()) {
        true => activate(x, act),
        false => reference::activate(x, act),
    }
}

fn on([rows, width]: [usize; 2], act: Activation, drawn: &str) -> [Case; 2] {
    let name = format!("{} {drawn}{rows}x{width}", act.name());
    let x = move |on: &Placement| {
        // From -8 to 8, so that ReLU6 cuts on both sides.
        let x = values(rows * width, 1).iter().map(|v| v * 8.0).collect();
        floats(x, [rows, width], &on.device)
    };
    [
        Case::new(format!("activation {name}"), 1e-4, move |on| {
            apply(x(on), act)
        }),
        Case::new(format!("activation backward {name}"), 1e-4, move |on| {
            gradient(x(on), |x| apply(x, act))
        }),
    ]
}

/// The fixed shapes, and draws of `seed`.
pub fn cases(seed: u32) -> Vec<Case> {
    let fixed = SHAPES
        .iter()
        .flat_map(|shape| ALL.into_iter().flat_map(|act| on(*shape, act, "")));
    let drawn = Draw::several(seed, DRAWS, WORK).flat_map(|mut draw| {
        let shape = [draw.size(&[1, 17], 400), draw.size(&[1, 63, 64, 65], 2048)];
        on(shape, draw.one_of(&ALL), &draw.name)
    });
    fixed.chain(drawn).collect()
}
