//! The mean of groups of rows: average pooling over the cells of an image.

pub mod cases;
mod cpu;
mod gpu;
pub mod reference;

use burn::tensor::Tensor;

use super::primitive::{from_primitive, is_gpu, primitive};

/// The mean of every `each` rows, x [G each, C] -> [G, C]. Not differentiable.
pub fn mean_rows(x: Tensor<2>, each: usize) -> Tensor<2> {
    let [count, width] = x.dims();
    let shape = [count / each, width];
    if is_gpu(&x.device()) {
        return from_primitive(gpu::mean_rows(primitive(x), shape, each));
    }
    cpu::mean_rows(x, shape, each)
}
