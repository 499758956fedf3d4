//! `attention` and its two backward kernels, with and without a shared prefix.

use burn::tensor::Tensor;

use super::{Case, gradient, tensor};
use crate::kernels::{is_gpu, plain};

/// Batch, rows, heads, head dimension, prefix rows.
const SHAPES: &[[usize; 5]] = &[
    [1, 1, 1, 16, 0],
    [1, 50, 3, 64, 0],
    [2, 17, 2, 32, 3],
    [64, 5, 2, 16, 5],
    [1, 600, 1, 16, 0],
    [3, 7, 2, 128, 1],
    [2, 33, 1, 128, 20],
    [2, 9, 3, 15, 4],
    [1, 40, 1, 15, 0],
    [1, 65, 12, 64, 0],
    [64, 3, 1, 80, 2],
];

/// The kernel on a GPU, ordinary operations on the CPU, where the engine has passes of its own.
fn attention(x: Tensor<3>, prefix: Option<Tensor<2>>, heads: usize, causal: bool) -> Tensor<3> {
    let run = match is_gpu(&x.device()) {
        true => crate::kernels::attention,
        false => plain::attention,
    };
    run(x, prefix, heads, causal)
}

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for [b, t, h, d, p] in SHAPES.iter().copied() {
        for causal in [false, true] {
            let width = 3 * h * d;
            let name = format!("batch {b} rows {t} heads {h}x{d} prefix {p} causal {causal}");
            cases.push(Case::new(
                format!("attention {name}"),
                1e-4,
                move |device| {
                    let prefix = (p > 0).then(|| tensor([p, width], 2, device));
                    attention(tensor([b, t, width], 1, device), prefix, h, causal)
                },
            ));
            cases.push(Case::new(
                format!("attention_backward {name}"),
                1e-4,
                move |device| {
                    gradient(tensor([b, t, width], 1, device), |x| {
                        let prefix = (p > 0).then(|| tensor([p, width], 2, device));
                        attention(x, prefix, h, causal)
                    })
                },
            ));
            if p > 0 {
                cases.push(Case::new(
                    format!("attention_backward of the prefix {name}"),
                    1e-4,
                    move |device| {
                        gradient(tensor([p, width], 2, device), |x| {
                            attention(tensor([b, t, width], 1, device), Some(x), h, causal)
                        })
                    },
                ));
            }
        }
    }
    cases
}
