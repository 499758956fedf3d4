//! Every kernel against ordinary Burn operations on the CPU backend, forward and backward.

mod attention;
mod layer_norm;
mod linear;

use std::sync::Mutex;

use burn::tensor::{Device, Tensor};
use promptlens::device::{Choice, open};
use promptlens::kernels::floats;
use promptlens::kernels::launch::{Tiling, set_tiling};

/// The software Vulkan device.
pub fn gpu() -> Device {
    pollster::block_on(open(Choice::WebGpu, None))
        .expect("a Vulkan device (mesa-vulkan-drivers)")
        .device
}

/// Deterministic values in about [-1, 1].
pub fn values(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..count)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        })
        .collect()
}

pub fn tensor<const D: usize>(shape: [usize; D], seed: u64, device: &Device) -> Tensor<D> {
    floats(values(shape.iter().product(), seed), shape, device)
}

/// Values of a tensor.
pub fn host<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    x.into_data().try_to_vec::<f32>().expect("floats")
}

/// d sum(y * c) / dx for y = f(x), with fixed random c.
pub fn gradient<const D: usize, const E: usize>(
    x: Tensor<D>,
    seed: u64,
    f: impl Fn(Tensor<D>) -> Tensor<E>,
) -> Vec<f32> {
    let x = x.autodiff().require_grad();
    let y = f(x.clone());
    let device = y.device().inner();
    let c = tensor(y.dims(), seed, &device);
    let grads = (y * c).sum().backward();
    host(x.grad(&grads).expect("a gradient"))
}

/// Runs `check` with each tiling forced, one at a time: the software device would never choose the
/// workgroup tiling, and the choice is the process's.
pub fn each_tiling(check: impl Fn()) {
    static ONE: Mutex<()> = Mutex::new(());
    let _alone = ONE.lock().unwrap_or_else(|e| e.into_inner());
    gpu();
    for tiling in [Tiling::Workgroup, Tiling::Registers] {
        set_tiling(tiling);
        check();
    }
}
