//! Tensors of Burn's CPU backend: their values in host memory, with and without a tape.
//!
//! The code of this module names the CPU backend instead of going through Burn's dispatch, because a
//! dispatched matrix product or softmax would carry the GPU runtime's own kernels for it into every
//! download.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex};
use burn::tensor::{Float, Shape, Tensor, TensorData};

/// A tensor of the CPU backend.
pub type Values = FloatTensor<Flex>;
/// The CPU backend with a gradient tape.
pub type Tracked = Autodiff<Flex>;

/// A contiguous tensor's values.
pub fn slice(x: &Values) -> &[f32] {
    x.as_slice().expect("the tensor is contiguous and f32")
}

/// Values as a tensor.
pub fn values(values: Vec<f32>, shape: impl Into<Shape>) -> Values {
    Values::from_data(TensorData::new(values, shape.into()))
}

/// The backend's own form of a tensor without a tape.
pub fn untracked<const D: usize>(x: Tensor<D>) -> Values {
    x.try_into_primitive::<Flex>()
        .expect("the tensor lives on the CPU backend")
}

/// The tensor of the backend's own form.
pub fn from_untracked<const D: usize>(x: Values) -> Tensor<D> {
    Tensor::<D, Float>::from_primitive::<Flex>(x)
}

/// The tape's own form of a tensor.
pub fn tracked<const D: usize>(x: Tensor<D>) -> FloatTensor<Tracked> {
    x.autodiff()
        .try_into_primitive::<Tracked>()
        .expect("the tensor lives on the CPU backend")
}

/// The tape's own form of a tensor that needs no gradient.
pub fn constant<const D: usize>(x: Tensor<D>) -> FloatTensor<Tracked> {
    use burn::backend::AutodiffBackend;
    Tracked::from_inner(untracked(x))
}

/// The tensor of the tape's own form.
pub fn from_tracked<const D: usize>(x: FloatTensor<Tracked>) -> Tensor<D> {
    Tensor::<D, Float>::from_primitive::<Tracked>(x)
}
