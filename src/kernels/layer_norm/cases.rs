//! `layer_norm` and its backward.

use burn::tensor::Tensor;

use super::{LayerNorm, reference};
use crate::kernels::check::draw::Draw;
use crate::kernels::check::{Case, gradient, tensor, values};
use crate::kernels::{Placement, floats, is_gpu};

/// Rows and widths: one of each, CLIP's and odd ones.
const SHAPES: &[[usize; 2]] = &[
    [1, 1],
    [1, 64],
    [3, 1],
    [5, 7],
    [16, 192],
    [17, 768],
    [600, 33],
];

const DRAWS: usize = 10;
/// Values of one draw.
const WORK: usize = 300_000;

const EPS: f32 = 1e-5;

/// The kernel on a GPU, Burn operations on the CPU.
fn norm(x: Tensor<2>, on: &Placement) -> Tensor<2> {
    let width = x.dims()[1];
    let (gamma, beta) = (values(width, 3), values(width, 4));
    if is_gpu(&on.device) {
        let norm = LayerNorm::new(gamma, beta, EPS, on).expect("equal lengths");
        return norm.forward(x);
    }
    let vector = |values| floats(values, [width], &on.device);
    reference::layer_norm(x, vector(gamma), vector(beta), EPS)
}

fn on([rows, width]: [usize; 2], drawn: &str) -> Vec<Case> {
    let name = format!("{drawn}{rows}x{width}");
    let mut cases = vec![Case::new(format!("layer_norm {name}"), 1e-4, move |on| {
        norm(tensor([rows, width], 1, &on.device), on)
    })];
    // One value has no spread and two only a sign, so their gradient is zero but for rounding.
    if width > 2 {
        cases.push(Case::new(
            format!("layer_norm backward {name}"),
            1e-4,
            move |on| gradient(tensor([rows, width], 1, &on.device), |x| norm(x, on)),
        ));
    }
    cases
}

/// The fixed shapes, and draws of `seed`.
pub fn cases(seed: u32) -> Vec<Case> {
    let fixed = SHAPES.iter().flat_map(|shape| on(*shape, ""));
    let drawn = Draw::several(seed, DRAWS, WORK).flat_map(|mut draw| {
        let width = draw.size(&[1, 3, 63, 64, 65, 512, 1024], 2048);
        let rows = draw.size(&[1, 15, 16, 17], 2000);
        on([rows, width], &draw.name)
    });
    fixed.chain(drawn).collect()
}
