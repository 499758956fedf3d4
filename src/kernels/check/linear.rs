//! `linear` and `linear_backward` over shapes, formats and fusions.

use burn::tensor::Device;

use super::{Case, gradient, tensor, values};
use crate::clip::config::Activation;
use crate::kernels::{Linear, floats};
use crate::weights::{HostTensor, Packed, Scheme};

/// Rows, inputs, outputs: one of each, odd ones, and ones that no tile divides.
const SHAPES: &[[usize; 3]] = &[
    [1, 32, 1],
    [1, 192, 576],
    [7, 96, 5],
    [8, 64, 4],
    [9, 100, 33],
    [13, 64, 40],
    [50, 192, 192],
    [65, 768, 67],
    [64, 32, 64],
];

/// Rows of the shapes on which every activation is fused too; each is a kernel to compile.
const WITH_ACTIVATIONS: &[usize] = &[9, 50];

fn layer(n: usize, k: usize, scheme: Option<Scheme>, device: &Device) -> Linear {
    frozen(n, k, scheme, Some(values(n, 3)), device)
}

fn frozen(
    n: usize,
    k: usize,
    scheme: Option<Scheme>,
    bias: Option<Vec<f32>>,
    device: &Device,
) -> Linear {
    let data = values(n * k, 7);
    let weight = match scheme {
        None => HostTensor::Float {
            shape: vec![n, k],
            data,
        },
        Some(scheme) => HostTensor::Packed {
            shape: vec![n, k],
            packed: Packed::quantise(scheme, n, k, &data).expect("generated values are finite"),
        },
    };
    Linear::new(weight, bias, device)
}

/// Inputs and outputs of matrices that are read back through the product with the identity: each
/// output is then one weight and zeros, so that not a bit may differ.
const DEQUANTISED: &[[usize; 2]] = &[[32, 1], [96, 7], [100, 33]];

fn dequantised() -> Vec<Case> {
    let mut cases = Vec::new();
    for [k, n] in DEQUANTISED.iter().copied() {
        for scheme in [Scheme::Blocks8, Scheme::Blocks4] {
            cases.push(Case::new(
                format!("linear dequantises {k}x{n} {scheme:?}"),
                0.0,
                move |device| {
                    let one = |at| f32::from(u8::from(at % (k + 1) == 0));
                    let identity = floats((0..k * k).map(one).collect(), [k, k], device);
                    frozen(n, k, Some(scheme), None, device).forward(identity, None, None)
                },
            ));
        }
    }
    cases
}

pub fn cases() -> Vec<Case> {
    let mut cases = dequantised();
    for [m, k, n] in SHAPES.iter().copied() {
        for scheme in [None, Some(Scheme::Blocks8), Some(Scheme::Blocks4)] {
            let fused = WITH_ACTIVATIONS.contains(&m);
            let acts = [None, Some(Activation::QuickGelu), Some(Activation::Gelu)];
            for act in acts.into_iter().take(if fused { 3 } else { 1 }) {
                let residual = m % 2 == 1;
                let name = format!("{m}x{k}x{n} {scheme:?} {act:?}");
                let limit = if act.is_none() { 1e-5 } else { 1e-4 };
                cases.push(Case::new(
                    format!("linear {name} residual {residual}"),
                    limit,
                    move |device| {
                        let residual = residual.then(|| tensor([m, n], 2, device));
                        let x = tensor([m, k], 1, device);
                        layer(n, k, scheme, device).forward(x, act, residual)
                    },
                ));
                cases.push(Case::new(
                    format!("linear_backward {name}"),
                    1e-4,
                    move |device| {
                        let layer = layer(n, k, scheme, device);
                        gradient(tensor([m, k], 1, device), |x| layer.forward(x, act, None))
                    },
                ));
            }
        }
    }
    cases
}

#[cfg(test)]
mod tests {
    use super::SHAPES;
    use crate::kernels::linear_kernel::{BROWSER_ROWS, rows_per_invocation};

    #[test]
    fn the_shapes_reach_every_tile_of_a_browser() {
        for (tile, _) in BROWSER_ROWS {
            let reaches = |[m, ..]: &[usize; 3]| rows_per_invocation(*m, BROWSER_ROWS) == *tile;
            assert!(SHAPES.iter().any(reaches), "{tile} rows");
        }
    }
}
