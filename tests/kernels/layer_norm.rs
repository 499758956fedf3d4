//! `layer_norm` and its backward.

use burn::tensor::Device;
use promptlens::kernels::{LayerNorm, floats, plain};

use super::{each_tiling, gpu, gradient, host, tensor, values};
use crate::common::relative_error;

#[test]
fn forward_and_backward_match_over_shapes() {
    each_tiling(forward_and_backward_check);
}

fn forward_and_backward_check() {
    let (gpu, cpu) = (gpu(), Device::flex());
    for [rows, width] in [[1, 1], [1, 64], [5, 7], [16, 192], [17, 768], [600, 33]] {
        let (gamma, beta) = (values(width, 3), values(width, 4));
        let norm = LayerNorm::new(gamma.clone(), beta.clone(), 1e-5, &gpu).expect("equal lengths");
        let plain = |x| {
            let (gamma, beta) = (
                floats(gamma.clone(), [width], &cpu),
                floats(beta.clone(), [width], &cpu),
            );
            plain::layer_norm(x, gamma, beta, 1e-5)
        };
        let error = relative_error(
            &host(norm.forward(tensor([rows, width], 1, &gpu))),
            &host(plain(tensor([rows, width], 1, &cpu))),
        );
        assert!(error <= 1e-4, "{rows}x{width} forward: {error:.2e}");
        if width > 1 {
            let found = gradient(tensor([rows, width], 1, &gpu), 5, |x| norm.forward(x));
            let expected = gradient(tensor([rows, width], 1, &cpu), 5, plain);
            let error = relative_error(&found, &expected);
            assert!(error <= 1e-4, "{rows}x{width} backward: {error:.2e}");
        }
    }
}
