//! The CPU's own nodes, forward and backward, against ordinary Burn operations.

use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Gradients, Tensor};
use promptlens::kernels::check::tensor;
use promptlens::kernels::layer_norm::trained as trained_norm;
use promptlens::kernels::linear::{self, trained as trained_linear};
use promptlens::kernels::{Activation, activation, attention};

/// Takes one tensor's gradient out of all of them.
type Pick<'a> = &'a dyn Fn(&Gradients) -> Vec<f32>;

fn leaf<const D: usize>(shape: [usize; D], seed: u64) -> Tensor<D> {
    tensor(shape, seed, &Device::flex())
        .autodiff()
        .require_grad()
}

fn host<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    x.into_data().try_to_vec::<f32>().expect("floats")
}

/// max|difference| / max|reference| of two lists.
fn error(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let top = expected.iter().fold(0f32, |a, b| a.max(b.abs()));
    let difference = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
    difference.fold(0.0, f32::max) / top.max(f32::MIN_POSITIVE)
}

/// Values of `y`, and the gradient of a weighted sum of them in every list of `of`.
fn pulled<const D: usize>(y: Tensor<D>, of: &[Pick<'_>]) -> Vec<Vec<f32>> {
    let c = tensor(y.dims(), 9, &Device::flex());
    let values = host(y.clone().inner());
    let grads = (y * Tensor::from_inner(c)).sum().backward();
    std::iter::once(values)
        .chain(of.iter().map(|gradient| gradient(&grads)))
        .collect()
}

fn same(found: Vec<Vec<f32>>, expected: Vec<Vec<f32>>, limit: f32) {
    for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
        let error = error(found, expected);
        assert!(error <= limit, "list {i}: {error}");
    }
}

#[test]
fn attention_is_the_plain_one() {
    for [b, t, h, d] in [[1, 1, 1, 16], [3, 17, 2, 15], [2, 33, 3, 64], [1, 70, 1, 8]] {
        for causal in [false, true] {
            let x = leaf([b, t, 3 * h * d], 1);
            let gradient = |g: &Gradients| host(x.grad(g).expect("a gradient"));
            let own = pulled(
                attention::cpu::attention(x.clone(), h, causal),
                &[&gradient],
            );
            let plain = pulled(
                attention::reference::attention(x.clone(), None, h, causal),
                &[&gradient],
            );
            let untracked = host(attention::cpu::attention(x.clone().inner(), h, causal));
            assert_eq!(own[0], untracked);
            same(own, plain, 1e-5);
        }
    }
}

#[test]
fn quick_gelu_is_its_formula() {
    let x = leaf([7, 33], 2) * 8.0;
    let x = Tensor::from_inner(x.inner()).require_grad();
    let gradient = |g: &Gradients| host(x.grad(g).expect("a gradient"));
    let own = pulled(activation::cpu::quick_gelu(x.clone()), &[&gradient]);
    let plain = pulled(x.clone() * sigmoid(x.clone() * 1.702), &[&gradient]);
    same(own, plain, 1e-6);
}

#[test]
fn a_trained_layer_has_the_gradients_of_its_formula() {
    for [m, n, k] in [[1, 1, 1], [5, 7, 3], [65, 40, 33]] {
        let (x, w, b) = (leaf([m, k], 1), leaf([n, k], 2), leaf([n], 3));
        let of: [Pick<'_>; 3] = [
            &|g| host(x.grad(g).expect("a gradient")),
            &|g| host(w.grad(g).expect("a gradient")),
            &|g| host(b.grad(g).expect("a gradient")),
        ];
        let own = trained_linear::linear(x.clone(), w.clone(), Some(b.clone()));
        let plain = x.clone().matmul(w.clone().transpose()) + b.clone().unsqueeze::<2>();
        same(pulled(own, &of), pulled(plain, &of), 1e-5);
    }
}

#[test]
fn a_trained_norm_has_the_gradients_of_its_formula() {
    for [rows, width] in [[1, 5], [9, 33], [40, 192]] {
        let (x, gamma, beta) = (leaf([rows, width], 1), leaf([width], 2), leaf([width], 3));
        let of: [Pick<'_>; 3] = [
            &|g| host(x.grad(g).expect("a gradient")),
            &|g| host(gamma.grad(g).expect("a gradient")),
            &|g| host(beta.grad(g).expect("a gradient")),
        ];
        let own = trained_norm::layer_norm(x.clone(), gamma.clone(), beta.clone(), 1e-5);
        let centered = x.clone() - x.clone().mean_dim(1);
        let variance = (centered.clone() * centered.clone()).mean_dim(1);
        let plain = centered / (variance + 1e-5).sqrt() * gamma.clone().unsqueeze::<2>()
            + beta.clone().unsqueeze::<2>();
        same(pulled(own, &of), pulled(plain, &of), 1e-4);
    }
}

#[test]
fn a_fused_layer_is_its_operations_one_after_the_other() {
    let device = Device::flex();
    let acts = [
        None,
        Some(Activation::QuickGelu),
        Some(Activation::Gelu),
        Some(Activation::Relu6),
    ];
    for [m, n, k] in [[1, 1, 1], [5, 7, 3], [65, 40, 33]] {
        for (act, with_bias, with_residual) in acts
            .into_iter()
            .flat_map(|act| [(act, false, false), (act, true, false), (act, true, true)])
        {
            // Larger than 1, so that ReLU6 cuts some off.
            let x = tensor([m, k], 1, &device) * 8.0;
            let weight = tensor([n, k], 2, &device);
            let bias = with_bias.then(|| tensor([n], 3, &device));
            let residual = with_residual.then(|| tensor([m, n], 4, &device));
            let mut steps = linear::reference::linear(x.clone(), weight.clone(), bias.clone());
            if let Some(act) = act {
                steps = activation::reference::activate(steps, act);
            }
            if let Some(residual) = residual.clone() {
                steps = steps + residual;
            }
            let fused = linear::cpu::forward(x, weight, bias, act, residual);
            let error = error(&host(fused), &host(steps));
            assert!(error <= 1e-6, "{m}x{n}x{k} {act:?}: {error}");
        }
    }
}
