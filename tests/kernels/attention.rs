//! `attention` and its two backward kernels, with and without a shared prefix.

use burn::tensor::Device;
use promptlens::kernels::{attention, plain};

use super::{gpu, gradient, host, tensor};
use crate::common::relative_error;

/// batch, rows, heads, head dimension, prefix rows
const SHAPES: &[[usize; 5]] = &[
    [1, 1, 1, 16, 0],
    [1, 50, 3, 64, 0],
    [2, 17, 2, 32, 3],
    [64, 5, 2, 16, 5],
    [1, 600, 1, 16, 0],
    [3, 7, 2, 128, 1],
    [2, 9, 3, 15, 4],
    [1, 65, 12, 64, 0],
];

#[test]
fn forward_matches_over_shapes() {
    let (gpu, cpu) = (gpu(), Device::flex());
    for [b, t, h, d, p] in SHAPES.iter().copied() {
        for causal in [false, true] {
            let width = 3 * h * d;
            let on = |device: &Device| {
                let prefix = (p > 0).then(|| tensor([p, width], 2, device));
                (tensor([b, t, width], 1, device), prefix)
            };
            let ((q, pre), (q_cpu, pre_cpu)) = (on(&gpu), on(&cpu));
            let found = host(attention(q, pre, h, causal));
            let expected = host(plain::attention(q_cpu, pre_cpu, h, causal));
            let error = relative_error(&found, &expected);
            assert!(
                error <= 1e-4,
                "{b} {t} {h} {d} {p} causal {causal}: {error:.2e}"
            );
        }
    }
}

#[test]
fn backward_matches_over_shapes() {
    let (gpu, cpu) = (gpu(), Device::flex());
    for [b, t, h, d, p] in SHAPES.iter().copied() {
        for causal in [false, true] {
            let width = 3 * h * d;
            let prefix = |device: &Device| (p > 0).then(|| tensor([p, width], 2, device));
            let found = gradient(tensor([b, t, width], 1, &gpu), 5, |x| {
                attention(x, prefix(&gpu), h, causal)
            });
            let expected = gradient(tensor([b, t, width], 1, &cpu), 5, |x| {
                plain::attention(x, prefix(&cpu), h, causal)
            });
            let error = relative_error(&found, &expected);
            assert!(
                error <= 1e-4,
                "{b} {t} {h} {d} {p} causal {causal} own: {error:.2e}"
            );
            if p > 0 {
                let found = gradient(tensor([p, width], 2, &gpu), 5, |x| {
                    attention(tensor([b, t, width], 1, &gpu), Some(x), h, causal)
                });
                let expected = gradient(tensor([p, width], 2, &cpu), 5, |x| {
                    plain::attention(tensor([b, t, width], 1, &cpu), Some(x), h, causal)
                });
                let error = relative_error(&found, &expected);
                assert!(
                    error <= 1e-4,
                    "{b} {t} {h} {d} {p} causal {causal} prefix: {error:.2e}"
                );
            }
        }
    }
}
