//! `layer_norm` and its backward.

use burn::tensor::Device;

use super::draw::Draw;
use super::{Case, gradient, tensor, values};
use crate::kernels::LayerNorm;

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

fn norm(width: usize, device: &Device) -> LayerNorm {
    LayerNorm::new(values(width, 3), values(width, 4), 1e-5, device).expect("equal lengths")
}

fn on([rows, width]: [usize; 2], drawn: &str) -> Vec<Case> {
    let name = format!("{drawn}{rows}x{width}");
    let mut cases = vec![Case::new(
        format!("layer_norm {name}"),
        1e-4,
        move |device| norm(width, device).forward(tensor([rows, width], 1, device)),
    )];
    // One value has no spread and two only a sign, so their gradient is zero but for rounding.
    if width > 2 {
        cases.push(Case::new(
            format!("layer_norm backward {name}"),
            1e-4,
            move |device| {
                let norm = norm(width, device);
                gradient(tensor([rows, width], 1, device), |x| norm.forward(x))
            },
        ));
    }
    cases
}

pub fn cases(seed: u32) -> Vec<Case> {
    let fixed = SHAPES.iter().flat_map(|shape| on(*shape, ""));
    let drawn = Draw::several(seed, DRAWS, WORK).flat_map(|mut draw| {
        let width = draw.size(&[1, 3, 63, 64, 65, 512, 1024], 2048);
        let rows = draw.size(&[1, 15, 16, 17], 2000);
        on([rows, width], &draw.name)
    });
    fixed.chain(drawn).collect()
}
