//! `linear` and `linear_backward`.

use burn::tensor::{Device, Tensor};
use promptlens::clip::config::Activation;
use promptlens::kernels::{Linear, floats, plain};
use promptlens::weights::{HostTensor, Packed, Scheme};

use super::{each_tiling, gpu, gradient, host, tensor, values};
use crate::common::relative_error;

const SHAPES: &[[usize; 3]] = &[
    [1, 32, 1],
    [1, 192, 576],
    [7, 96, 5],
    [8, 64, 4],
    [9, 100, 33],
    [50, 192, 192],
    [65, 768, 67],
    [64, 32, 64],
];

fn weight(n: usize, k: usize, scheme: Option<Scheme>) -> HostTensor {
    let data = values(n * k, 7);
    match scheme {
        None => HostTensor::Float {
            shape: vec![n, k],
            data,
        },
        Some(scheme) => {
            let packed = Packed::quantise(scheme, n, k, &data).expect("finite values");
            HostTensor::Packed {
                shape: vec![n, k],
                packed,
            }
        }
    }
}

fn reference(
    x: Tensor<2>,
    w: &HostTensor,
    bias: &[f32],
    act: Option<Activation>,
    res: Option<Tensor<2>>,
) -> Tensor<2> {
    let cpu = Device::flex();
    let (n, k) = (w.shape()[0], w.shape()[1]);
    let w = floats(w.clone().into_floats(), [n, k], &cpu);
    let y = plain::linear(x, w, Some(floats(bias.to_vec(), [n], &cpu)));
    let y = match act {
        Some(act) => plain::activate(y, act),
        None => y,
    };
    match res {
        Some(res) => y + res,
        None => y,
    }
}

#[test]
fn forward_matches_over_shapes_formats_and_fusions() {
    each_tiling(forward_check);
}

fn forward_check() {
    let (gpu, cpu) = (gpu(), Device::flex());
    for [m, k, n] in SHAPES.iter().copied() {
        for scheme in [None, Some(Scheme::Blocks8), Some(Scheme::Blocks4)] {
            for act in [None, Some(Activation::QuickGelu), Some(Activation::Gelu)] {
                let w = weight(n, k, scheme);
                let bias = values(n, 3);
                let layer = Linear::new(w.clone(), Some(bias.clone()), &gpu);
                let residual = (m % 2 == 1).then_some(());
                let y = layer.forward(
                    tensor([m, k], 1, &gpu),
                    act,
                    residual.map(|()| tensor([m, n], 2, &gpu)),
                );
                let expected = reference(
                    tensor([m, k], 1, &cpu),
                    &w,
                    &bias,
                    act,
                    residual.map(|()| tensor([m, n], 2, &cpu)),
                );
                let error = relative_error(&host(y), &host(expected));
                let limit = if act.is_none() { 1e-5 } else { 1e-4 };
                assert!(
                    error <= limit,
                    "{m}x{k}x{n} {scheme:?} {act:?}: {error:.2e}"
                );
            }
        }
    }
}

#[test]
fn backward_matches_over_shapes_and_formats() {
    each_tiling(backward_check);
}

fn backward_check() {
    let (gpu, cpu) = (gpu(), Device::flex());
    for [m, k, n] in SHAPES.iter().copied() {
        for scheme in [None, Some(Scheme::Blocks8), Some(Scheme::Blocks4)] {
            for act in [None, Some(Activation::QuickGelu), Some(Activation::Gelu)] {
                let w = weight(n, k, scheme);
                let bias = values(n, 3);
                let layer = Linear::new(w.clone(), Some(bias.clone()), &gpu);
                let found = gradient(tensor([m, k], 1, &gpu), 5, |x| layer.forward(x, act, None));
                let expected = gradient(tensor([m, k], 1, &cpu), 5, |x| {
                    reference(x, &w, &bias, act, None)
                });
                let error = relative_error(&found, &expected);
                assert!(error <= 1e-4, "{m}x{k}x{n} {scheme:?} {act:?}: {error:.2e}");
            }
        }
    }
}

#[test]
fn the_residual_receives_its_gradient() {
    let gpu = gpu();
    let layer = Linear::new(weight(8, 32, None), None, &gpu);
    let found = gradient(tensor([3, 8], 1, &gpu), 5, |r| {
        layer.forward(tensor([3, 32], 2, &r.device()), None, Some(r))
    });
    assert_eq!(found, values(24, 5));
}
