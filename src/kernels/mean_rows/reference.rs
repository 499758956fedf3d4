//! The mean of groups of rows as Burn operations.

use burn::backend::Flex;
use burn::backend::ops::FloatTensorOps;
use burn::tensor::{Shape, Tensor};

use crate::kernels::cpu_tensor::{from_untracked, untracked};

/// x [G each, C] -> [G, C] on the CPU backend.
pub fn mean_rows(x: Tensor<2>, each: usize) -> Tensor<2> {
    let [count, width] = x.dims();
    let groups = Flex::float_reshape(untracked(x), Shape::from([count / each, each, width]));
    let mean = Flex::float_mean_dim(groups, 1);
    from_untracked(Flex::float_reshape(
        mean,
        Shape::from([count / each, width]),
    ))
}
