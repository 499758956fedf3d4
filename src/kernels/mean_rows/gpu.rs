//! The Rust side of `shaders/mean_rows.wgsl`.

use burn::backend::wgpu::CubeTensor;

use crate::kernels::launch::{Kernel, contiguous, dispatch_grid, empty, launch};
use crate::kernels::source::Constants;

const WORKGROUP: usize = 64;

/// See [`super::mean_rows`].
pub fn mean_rows(x: CubeTensor, [groups, width]: [usize; 2], each: usize) -> CubeTensor {
    let x = contiguous(x);
    let y = empty(&x, [groups, width]);
    let buffers = [&x, &y];
    let constants = Constants::from([
        ("WORKGROUP", WORKGROUP.to_string()),
        ("PARAMS", buffers.len().to_string()),
    ]);
    launch(
        Kernel {
            name: "mean_rows",
            source: include_str!("../../../shaders/mean_rows.wgsl"),
            constants,
            workgroup: [WORKGROUP as u32, 1, 1],
        },
        dispatch_grid(groups * width, WORKGROUP),
        &buffers,
        &[groups * width, width, each].map(Into::into),
    );
    y
}
