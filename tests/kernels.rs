//! Every kernel against ordinary Burn operations, on the software Vulkan device.

use std::sync::Mutex;

use burn::tensor::wgpu::{WgpuSetup, wgpu};
use burn::tensor::{Device, Tensor};
use promptlens::device::{Choice, open};
use promptlens::kernels::check::{KERNELS, check, tensor, values};
use promptlens::kernels::{Linear, floats, plain};
use promptlens::weights::HostTensor;

/// The tiling belongs to the process, so checks that force it take turns.
static ONE: Mutex<()> = Mutex::new(());

fn gpu() -> Device {
    pollster::block_on(open(Choice::WebGpu, None))
        .expect("a Vulkan device (mesa-vulkan-drivers)")
        .device
}

fn passes(device: &Device, only: Option<&str>) {
    let _alone = ONE.lock().unwrap_or_else(|e| e.into_inner());
    let checked = pollster::block_on(check(device, only, &())).expect("a device that works");
    let failed: Vec<_> = checked.iter().filter(|case| !case.passed).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    // Both tilings of every case.
    let cases: usize = KERNELS
        .iter()
        .filter(|kernel| only.is_none_or(|only| only == kernel.name))
        .map(|kernel| (kernel.cases)().len())
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
fn crops_match_bit_for_bit() {
    passes(&gpu(), Some("photo"));
}

/// The least that WebGPU promises, asked of a device of our own: a binding or a workgroup beyond it
/// fails here and not first on somebody's phone.
#[test]
fn every_kernel_keeps_within_the_least_limits_of_webgpu() {
    let setup = pollster::block_on(async {
        let instance = wgpu::Instance::default();
        let adapter = instance
            .request_adapter(&wgpu::RequestAdapterOptions::default())
            .await
            .expect("a Vulkan adapter");
        let had = adapter.limits();
        let least = wgpu::Limits {
            max_storage_buffers_per_shader_stage: 8,
            max_storage_buffer_binding_size: 128 << 20,
            max_compute_workgroups_per_dimension: 65_535,
            max_compute_invocations_per_workgroup: 256,
            max_compute_workgroup_size_x: 256,
            max_compute_workgroup_size_y: 256,
            max_compute_workgroup_size_z: 64,
            max_compute_workgroup_storage_size: 16_384,
            ..had
        };
        let (device, queue) = adapter
            .request_device(&wgpu::DeviceDescriptor {
                required_features: adapter
                    .features()
                    .difference(wgpu::Features::all_experimental_mask()),
                required_limits: least,
                ..Default::default()
            })
            .await
            .expect("a device with the least limits");
        let backend = adapter.get_info().backend;
        WgpuSetup {
            instance,
            adapter,
            device,
            queue,
            backend,
        }
    });
    let device = Device::wgpu_options()
        .setup(setup)
        .init()
        .expect("a Burn device on it");
    passes(&device, None);
}

#[test]
fn the_residual_receives_its_gradient() {
    let gpu = gpu();
    let weight = HostTensor::Float {
        shape: vec![8, 32],
        data: vec![0.5; 256],
    };
    let layer = Linear::new(weight, None, &gpu);
    let residual = tensor([3, 8], 1, &gpu).autodiff().require_grad();
    let x = tensor([3, 32], 2, &gpu).autodiff();
    let y = layer.forward(x, None, Some(residual.clone()));
    let c = tensor([3, 8], 5, &gpu);
    let grads = (y * c.clone()).sum().backward();
    let host = |x: Tensor<2>| x.into_data().try_to_vec::<f32>().expect("floats");
    assert_eq!(host(residual.grad(&grads).expect("a gradient")), host(c));
}

/// The plain operations are what every kernel is held to, so their own gradient is held to
/// differences.
#[test]
fn the_reference_gradient_matches_finite_differences() {
    let cpu = Device::flex();
    let (t, h, d) = (5, 2, 4);
    let c: Vec<f32> = values(t * h * d, 5);
    let value = |x: Vec<f32>| {
        let y = plain::attention(floats(x, [1, t, 3 * h * d], &cpu), None, h, true);
        let y = y.into_data().try_to_vec::<f32>().expect("floats");
        y.iter()
            .zip(&c)
            .map(|(a, b)| f64::from(*a) * f64::from(*b))
            .sum::<f64>()
    };
    let at = values(t * 3 * h * d, 1);
    let x = floats(at.clone(), [1, t, 3 * h * d], &cpu)
        .autodiff()
        .require_grad();
    let y = plain::attention(x.clone(), None, h, true);
    let grads = (y * floats(c.clone(), [1, t, h * d], &cpu))
        .sum()
        .backward();
    let found = x.grad(&grads).expect("a gradient").into_data();
    let found = found.try_to_vec::<f32>().expect("floats");
    for i in (0..at.len()).step_by(7) {
        let moved = |by: f32| {
            let mut x = at.clone();
            x[i] += by;
            value(x)
        };
        let slope = (moved(1e-2) - moved(-1e-2)) / 2e-2;
        assert!(
            (slope - f64::from(found[i])).abs() <= 1e-3,
            "{i}: {slope} against {}",
            found[i]
        );
    }
}
