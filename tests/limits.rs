//! Adapters that bind and dispatch no more than WebGPU promises, asked of devices of our own: what
//! is beyond it fails here and not first on somebody's phone.

use burn::tensor::wgpu::{WgpuSetup, wgpu};
use burn::tensor::{Device, Tensor};
use pollster::block_on;
use promptlens::error::Kind;
use promptlens::image::views::Crop;
use promptlens::image::{Filter, Preprocess, Rect, Rgb8};
use promptlens::kernels::check::{tensor, values};
use promptlens::kernels::launch::BINDING_BYTES;
use promptlens::kernels::photo::Photo;
use promptlens::kernels::{
    Activation, Attention, LayerNorm, Linear, Placement, Tiling, attention, floats, read,
};
use promptlens::quant::HostTensor;

use crate::common::relative_error;
use crate::kernels::{alone, passes};

/// A device of its own that binds at most `bytes` and otherwise has the least limits of WebGPU.
pub fn limited(bytes: u64) -> Placement {
    let setup = block_on(async {
        let instance = wgpu::Instance::default();
        let adapter = instance
            .request_adapter(&wgpu::RequestAdapterOptions::default())
            .await
            .expect("a Vulkan adapter");
        let had = adapter.limits();
        let least = wgpu::Limits {
            max_storage_buffers_per_shader_stage: 8,
            max_storage_buffer_binding_size: bytes,
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
    Placement {
        device,
        tiling: Tiling::Registers,
    }
}

fn least() -> Placement {
    limited(BINDING_BYTES as u64)
}

fn host<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    block_on(read(x)).expect("finite values")
}

/// Runs `work` with each tiling on the device of `placement`, and beside no other test with large buffers.
fn in_tilings(placement: &Placement, mut work: impl FnMut(&Placement)) {
    let _alone = alone();
    for tiling in Tiling::ALL {
        work(&placement.with_tiling(tiling));
    }
}

fn matrix(n: usize, k: usize) -> HostTensor {
    HostTensor::Float {
        shape: vec![n, k],
        data: values(n * k, 7),
    }
}

/// d sum(f(x) c) / dx with generated c.
fn slope(x: Tensor<2>, f: impl Fn(Tensor<2>) -> Tensor<2>) -> Tensor<2> {
    let x = x.autodiff().require_grad();
    let y = f(x.clone());
    let c = tensor(y.dims(), 5, &y.device().inner());
    let grads = (y * c).sum().backward();
    x.grad(&grads).expect("a gradient")
}

#[test]
fn every_kernel_keeps_within_the_least_limits_of_webgpu() {
    passes(&least(), None);
}

#[test]
fn outputs_fill_a_binding_and_more_than_one_dimension_of_workgroups() {
    let x = 0.75;
    in_tilings(&least(), |on| {
        let n = match on.tiling {
            // A matrix of exactly 128 MiB: every output's one weight is padded to four.
            Tiling::Registers => BINDING_BYTES / 16,
            Tiling::Workgroup => 65_536 * 64 + 1,
        };
        let layer = Linear::new(matrix(n, 1), None, on);
        let y = layer.forward(floats(vec![x], [1, 1], &on.device), None, None);
        let expected: Vec<f32> = values(n, 7).iter().map(|w| w * x).collect();
        assert_eq!(host(y), expected);
    });
}

#[test]
fn a_gradient_fills_more_than_one_dimension_of_workgroups() {
    in_tilings(&least(), |on| {
        let k = match on.tiling {
            Tiling::Registers => 65_536 * 128 + 4,
            Tiling::Workgroup => 65_536 * 64 + 4,
        };
        let layer = Linear::new(matrix(1, k), None, on);
        let x = floats(vec![0.0; k], [1, k], &on.device)
            .autodiff()
            .require_grad();
        let grads = layer.forward(x.clone(), None, None).sum().backward();
        assert_eq!(host(x.grad(&grads).expect("a gradient")), values(k, 7));
    });
}

#[test]
fn an_activation_fills_more_than_one_dimension_of_workgroups() {
    let run = |on: &Placement| {
        let layer = Linear::new(matrix(2049, 4), Some(values(2049, 3)), on);
        let act = Some(Activation::QuickGelu);
        host(slope(tensor([2048, 4], 1, &on.device), |x| {
            layer.forward(x, act, None)
        }))
    };
    let _alone = alone();
    let expected = run(&Placement::cpu());
    assert!(relative_error(&run(&least()), &expected) <= 1e-4);
}

#[test]
fn rows_of_a_layer_norm_fill_more_than_one_dimension_of_workgroups() {
    let run = |rows, on: &Placement| {
        let norm = LayerNorm::new(values(3, 3), values(3, 4), 1e-5, on).unwrap();
        let x = || tensor([rows, 3], 1, &on.device);
        let y = host(norm.forward(x()));
        (y, host(slope(x(), |x| norm.forward(x))))
    };
    in_tilings(&least(), |on| {
        let rows = match on.tiling {
            Tiling::Registers => 65_536 * 16 + 5,
            Tiling::Workgroup => 65_536 + 5,
        };
        let (found, expected) = (run(rows, on), run(rows, &Placement::cpu()));
        assert!(relative_error(&found.0, &expected.0) <= 1e-4);
        assert!(relative_error(&found.1, &expected.1) <= 1e-4);
    });
}

/// With one row a query sees itself only: it answers with its value, and only that has a gradient.
#[test]
fn queries_of_one_row_fill_more_than_one_dimension_of_workgroups() {
    let least = least();
    let batch = 65_536 * 64 + 7;
    let qkv = || tensor([batch, 1, 3], 1, &least.device);
    let out: Vec<f32> = values(3 * batch, 1).chunks(3).map(|c| c[2]).collect();
    let dout = values(batch, 5);
    in_tilings(&least, |on| {
        let attention = Attention {
            heads: 1,
            causal: false,
            tiling: on.tiling,
        };
        let found = host(attention.forward(qkv(), None));
        assert!(relative_error(&found, &out) <= 1e-5);
        let x = qkv().autodiff().require_grad();
        let y = attention.forward(x.clone(), None);
        let c = tensor([batch, 1, 1], 5, &on.device);
        let grads = (y * c).sum().backward();
        let found = host(x.grad(&grads).expect("a gradient"));
        let expected: Vec<f32> = dout.iter().flat_map(|c| [0.0, 0.0, *c]).collect();
        assert!(relative_error(&found, &expected) <= 1e-4);
    });
}

/// The tiled kernel takes a workgroup for each image and head from 32 rows on.
#[test]
fn images_fill_more_than_one_dimension_of_workgroups() {
    const ROWS: usize = 32;
    let batch = 65_536 + 9;
    let each = ROWS * 3;
    let all = values(batch * each, 1);
    let some = [0, 1, 32_767, 32_768, 65_535, 65_536, batch - 1];
    let _alone = alone();
    // The other tiling would leave the right values in the memory that this one is given.
    let on = least().with_tiling(Tiling::Workgroup);
    let attention = Attention {
        heads: 1,
        causal: true,
        tiling: on.tiling,
    };
    let qkv = floats(all.clone(), [batch, ROWS, 3], &on.device);
    let found = host(attention.forward(qkv, None));
    for image in some {
        let own = all[image * each..(image + 1) * each].to_vec();
        let own = floats(own, [1, ROWS, 3], &Device::flex());
        let expected = host(attention::reference::attention(own, None, 1, true));
        let found = &found[image * ROWS..(image + 1) * ROWS];
        assert!(relative_error(found, &expected) <= 1e-4, "image {image}");
    }
}

#[test]
fn crops_fill_more_than_one_dimension_of_workgroups() {
    let device = least().device;
    let cut = |[width, height]: [u32; 2], size: u32, device: &Device| {
        let bytes = values(3 * (width * height) as usize, 9);
        let data = bytes.iter().map(|v| ((v + 1.0) * 127.9) as u8).collect();
        let image = Rgb8::new(width, height, data).unwrap();
        let source = Rect {
            x: 0,
            y: 0,
            width,
            height,
        };
        let crop = Crop {
            source,
            mirrored: true,
            filter: Filter::Bilinear,
        };
        let photo = Photo::new(&image, device);
        host(photo.patches(&[crop], &Preprocess::clip(size), 8).unwrap())
    };
    // Its rows first, then the columns of what becomes larger than it was.
    for (photo, size) in [([1, 65_536 * 2 + 1], 32), ([9, 7], 2056)] {
        let expected = cut(photo, size, &Device::flex());
        assert!(cut(photo, size, &device) == expected, "{photo:?}");
    }
}

/// What cannot be bound is an error, and no stale values.
#[test]
fn a_binding_beyond_the_limit_is_refused() {
    let _alone = alone();
    let limited = limited(4 << 20);
    let layer = |n| Linear::new(matrix(n, 4), None, &limited);
    let x = || tensor([1024, 4], 1, &limited.device);
    let fits = layer(1024).forward(x(), None, None);
    assert_eq!(host(fits).len(), 1024 * 1024);
    let refused = block_on(read(layer(1025).forward(x(), None, None)));
    assert_eq!(refused.unwrap_err().kind(), Kind::GpuLost);
}
