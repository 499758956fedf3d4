//! Every kernel against ordinary Burn operations, on the software Vulkan device.

use std::sync::{Mutex, MutexGuard};

use burn::tensor::{Device, Tensor};
use promptlens::bench::lanes::{Wanted, predict, predict_all};
use promptlens::device::{Choice, open};
use promptlens::kernels::check::{SEED, check, tensor};
use promptlens::kernels::launch::Launched;
use promptlens::kernels::{
    Activation, Linear, OPERATIONS, Placement, activation, attention, floats, layer_norm, linear,
};
use promptlens::quant::HostTensor;

/// Tests with large buffers take turns, so that all cores and the device's memory are theirs.
pub fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(|e| e.into_inner())
}

/// The seed of the drawn shapes: `PROMPTLENS_SEED`, else the usual one.
fn seed() -> u32 {
    std::env::var("PROMPTLENS_SEED").map_or(SEED, |text| text.parse().expect("a number"))
}

pub fn gpu() -> Placement {
    pollster::block_on(open(Choice::WebGpu, None))
        .expect("a Vulkan device (mesa-vulkan-drivers)")
        .placement
}

pub fn passes(placement: &Placement, only: Option<&str>) {
    let _alone = alone();
    let seed = seed();
    let checked =
        pollster::block_on(check(placement, only, seed, &())).expect("a device that works");
    let failed: Vec<_> = checked.iter().filter(|case| !case.passed).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    // Both tilings of every case.
    let cases: usize = OPERATIONS
        .iter()
        .filter(|kernel| only.is_none_or(|only| only == kernel.name))
        .map(|kernel| (kernel.cases)(seed).len())
        .sum();
    assert_eq!(checked.len(), 2 * cases);
}

#[test]
fn linear_matches_forward_and_backward() {
    passes(&gpu(), Some("linear"));
}

#[test]
fn layer_norm_matches_forward_and_backward() {
    passes(&gpu(), Some("layer_norm"));
}

#[test]
fn attention_matches_forward_and_backward() {
    passes(&gpu(), Some("attention"));
}

#[test]
fn activations_match_forward_and_backward() {
    passes(&gpu(), Some("activation"));
}

#[test]
fn depthwise_convolutions_match() {
    passes(&gpu(), Some("depthwise"));
}

#[test]
fn means_of_rows_match() {
    passes(&gpu(), Some("mean_rows"));
}

#[test]
fn crops_match_bit_for_bit() {
    passes(&gpu(), Some("photo"));
}

#[test]
fn the_residual_receives_its_gradient() {
    let gpu = gpu();
    let weight = HostTensor::Float {
        shape: vec![8, 32],
        data: vec![0.5; 256],
    };
    let layer = Linear::new(weight, None, &gpu);
    let residual = tensor([3, 8], 1, &gpu.device).autodiff().require_grad();
    let x = tensor([3, 32], 2, &gpu.device).autodiff();
    let y = layer.forward(x, None, Some(residual.clone()));
    let c = tensor([3, 8], 5, &gpu.device);
    let grads = (y * c.clone()).sum().backward();
    let host = |x: Tensor<2>| x.into_data().try_to_vec::<f32>().expect("floats");
    assert_eq!(host(residual.grad(&grads).expect("a gradient")), host(c));
}

/// d sum(f(x) c) / dx on the CPU backend against central differences, at every third value of x.
fn slopes_match(what: &str, shape: [usize; 2], f: impl Fn(Tensor<2>) -> Tensor<2>) {
    const STEP: f32 = 4e-3;
    let cpu = Device::flex();
    let start = tensor(shape, 1, &cpu);
    let host = |x: Tensor<2>| x.into_data().try_to_vec::<f32>().expect("floats");

    let x = start.clone().autodiff().require_grad();
    let y = f(x.clone());
    let grads = (y.clone() * tensor(y.dims(), 5, &cpu)).sum().backward();
    let found = host(x.grad(&grads).expect("a gradient"));

    let value = |x: Vec<f32>| -> f64 {
        let y = f(floats(x, shape, &cpu));
        let c = host(tensor(y.dims(), 5, &cpu));
        let terms = host(y).into_iter().zip(c);
        terms.map(|(y, c)| f64::from(y) * f64::from(c)).sum()
    };
    let start = host(start);
    let top = found.iter().fold(0f32, |top, g| top.max(g.abs()));
    assert!(top > 0.0, "{what}: no gradient");
    for i in (0..start.len()).step_by(3) {
        let moved = |by: f32| {
            let mut x = start.clone();
            x[i] += by;
            value(x)
        };
        let slope = (moved(STEP) - moved(-STEP)) / f64::from(2.0 * STEP);
        let gap = (slope - f64::from(found[i])).abs();
        assert!(
            gap <= 1e-3 * f64::from(top.max(1.0)),
            "{what} at {i}: {slope} against {}",
            found[i]
        );
    }
}

/// The references are what every kernel is held to, so their own gradients are held to
/// differences.
#[test]
fn the_reference_gradients_match_finite_differences() {
    let cpu = Device::flex();
    let (t, h, d) = (5, 2, 4);
    let width = 3 * h * d;
    let rows = |x: Tensor<3>| x.reshape([t, h * d]);
    for causal in [false, true] {
        slopes_match("attention", [t, width], |x| {
            rows(attention::reference::attention(
                x.reshape([1, t, width]),
                None,
                h,
                causal,
            ))
        });
        slopes_match("attention behind a prefix", [t, width], |x| {
            let prefix = Some(tensor([2, width], 2, &cpu));
            rows(attention::reference::attention(
                x.reshape([1, t, width]),
                prefix,
                h,
                causal,
            ))
        });
        slopes_match("the prefix of attention", [2, width], |prefix| {
            let x = tensor([1, t, width], 2, &cpu);
            rows(attention::reference::attention(x, Some(prefix), h, causal))
        });
    }
    for act in [Activation::QuickGelu, Activation::Gelu] {
        slopes_match("linear with its activation", [4, 9], |x| {
            let y =
                linear::reference::linear(x, tensor([6, 9], 2, &cpu), Some(tensor([6], 3, &cpu)));
            activation::reference::activate(y, act)
        });
    }
    slopes_match("layer_norm", [3, 8], |x| {
        layer_norm::reference::layer_norm(x, tensor([8], 2, &cpu), tensor([8], 3, &cpu), 1e-5)
    });
}

#[test]
fn tiled_kernels_meet_few_conflicts_in_workgroup_memory() {
    let predicted = pollster::block_on(predict_all()).expect("kernels that can be followed");
    // Every tiled kernel is among them.
    let mut kernels: Vec<&str> = predicted.iter().map(|launch| launch.kernel).collect();
    kernels.sort_unstable();
    kernels.dedup();
    let tiled = [
        "attention_tiled",
        "layer_norm_tiled",
        "linear_backward_tiled",
        "linear_tiled",
    ];
    assert_eq!(kernels, tiled);
    for launch in &predicted {
        assert!(launch.conflict <= 2.0, "{launch:?}");
        assert!(launch.used_bytes > 0.4, "{launch:?}");
        // A change that makes the large products slower on real GPUs shows here.
        if launch.what.contains("product 800") {
            assert!(
                launch.shares.iter().all(|share| *share > 0.75),
                "{launch:?}"
            );
        }
    }
}

#[test]
fn conflicts_in_workgroup_memory_are_counted() {
    // Rows of 32 words begin in one bank; 33 words apart, each begins in the next.
    let worst = |stride: u32| {
        let source = format!(
            "var<workgroup> rows: array<f32, 2048>;
             @group(0) @binding(0) var<storage, read_write> y: array<f32>;
             @compute @workgroup_size(32)
             fn main(@builtin(local_invocation_index) local: u32) {{
                 y[local] = rows[local * {stride}u];
             }}"
        );
        let launched = Launched {
            name: "one",
            source,
            workgroup: [32, 1, 1],
            groups: [1, 1, 1],
            params: Vec::new(),
        };
        let wanted = Wanted {
            what: String::new(),
            useful: 1.0,
            bytes: 1.0,
            launched,
        };
        predict(&wanted).expect("a kernel that can be followed")
    };
    assert_eq!(worst(32).conflict, 32.0);
    assert_eq!(worst(33).conflict, 1.0);
    assert_eq!(worst(2).conflict, 2.0);
    assert_eq!(worst(1).used_bytes, 1.0);
}
