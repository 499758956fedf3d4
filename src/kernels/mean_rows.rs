//! The mean of groups of rows: average pooling over the cells of an image.

use burn::backend::Flex;
use burn::backend::wgpu::CubeTensor;
use burn::tensor::{Float, Tensor};

use super::cpu::{Values, slice, values};
use super::launch::{Kernel, contiguous, dispatch_grid, empty, launch};
use super::primitive::{from_primitive, is_gpu, primitive};
use super::rows;
use super::source::Constants;

const WORKGROUP: usize = 64;

/// The mean of every `each` rows, x [G each, C] -> [G, C]. Not differentiable.
pub fn mean_rows(x: Tensor<2>, each: usize) -> Tensor<2> {
    let [count, width] = x.dims();
    let shape = [count / each, width];
    if is_gpu(&x.device()) {
        return from_primitive(on_gpu(contiguous(primitive(x)), shape, each));
    }
    let x: Values = x
        .try_into_primitive::<Flex>()
        .expect("the tensor lives on the CPU backend");
    let x = x.to_contiguous();
    let mut y = Vec::with_capacity(shape[0] * width);
    for group in slice(&x).chunks_exact(each * width) {
        let mut mean = rows::sum_rows(group, width);
        mean.iter_mut().for_each(|v| *v /= each as f32);
        y.extend(mean);
    }
    Tensor::<2, Float>::from_primitive::<Flex>(values(y, shape))
}

fn on_gpu(x: CubeTensor, [groups, width]: [usize; 2], each: usize) -> CubeTensor {
    let y = empty(&x, [groups, width]);
    let buffers = [&x, &y];
    let constants = Constants::from([
        ("WORKGROUP", WORKGROUP.to_string()),
        ("PARAMS", buffers.len().to_string()),
    ]);
    launch(
        Kernel {
            name: "mean_rows",
            source: include_str!("../../shaders/mean_rows.wgsl"),
            constants,
            workgroup: [WORKGROUP as u32, 1, 1],
        },
        dispatch_grid(groups * width, WORKGROUP),
        &buffers,
        &[groups * width, width, each].map(Into::into),
    );
    y
}
