//! `layer_norm` and its backward.

use burn::tensor::Device;

use super::{Case, gradient, tensor, values};
use crate::kernels::LayerNorm;

/// Rows and widths.
const SHAPES: &[[usize; 2]] = &[[1, 1], [1, 64], [5, 7], [16, 192], [17, 768], [600, 33]];

fn norm(width: usize, device: &Device) -> LayerNorm {
    LayerNorm::new(values(width, 3), values(width, 4), 1e-5, device).expect("equal lengths")
}

pub fn cases() -> Vec<Case> {
    let forward = SHAPES.iter().copied().map(|[rows, width]| {
        Case::new(format!("layer_norm {rows}x{width}"), 1e-4, move |device| {
            norm(width, device).forward(tensor([rows, width], 1, device))
        })
    });
    // One value has no spread, so its gradient is zero but for rounding.
    let backward = SHAPES.iter().copied().filter(|[_, width]| *width > 1);
    let backward = backward.map(|[rows, width]| {
        Case::new(
            format!("layer_norm backward {rows}x{width}"),
            1e-4,
            move |device| {
                let norm = norm(width, device);
                gradient(tensor([rows, width], 1, device), |x| norm.forward(x))
            },
        )
    });
    forward.chain(backward).collect()
}
