//! The CPU form: sums of rows in the widest vectors of the processor.

use burn::tensor::Tensor;

use crate::kernels::cpu_tensor::{from_untracked, slice, untracked, values};
use crate::kernels::simd::sum_rows;

/// See [`super::mean_rows`].
pub fn mean_rows(x: Tensor<2>, [groups, width]: [usize; 2], each: usize) -> Tensor<2> {
    let x = untracked(x).to_contiguous();
    let mut y = Vec::with_capacity(groups * width);
    for group in slice(&x).chunks_exact(each * width) {
        let mut mean = sum_rows(group, width);
        mean.iter_mut().for_each(|v| *v /= each as f32);
        y.extend(mean);
    }
    from_untracked(values(y, [groups, width]))
}
