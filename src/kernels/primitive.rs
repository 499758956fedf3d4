//! Tensors as the GPU backend holds them, with and without a tape.

use burn::backend::wgpu::{CubeBackend, CubeTensor};
use burn::backend::{Autodiff, DispatchDevice};
use burn::tensor::{DType, Device, Float, Int, Tensor, TensorData};

/// Whether this crate's kernels run on `device`.
pub fn is_gpu(device: &Device) -> bool {
    matches!(
        device.clone().inner().as_dispatch(),
        DispatchDevice::Cube(_)
    )
}

pub(super) fn primitive<const D: usize>(x: Tensor<D>) -> CubeTensor {
    x.try_into_primitive::<CubeBackend>()
        .expect("the tensor lives on the GPU that its layer was built for")
}

pub(super) fn tracked<const D: usize>(
    x: Tensor<D>,
) -> <Autodiff<CubeBackend> as burn::backend::BackendTypes>::FloatTensorPrimitive {
    x.autodiff()
        .try_into_primitive::<Autodiff<CubeBackend>>()
        .expect("the tensor lives on the GPU that its layer was built for")
}

pub(super) fn from_primitive<const D: usize>(x: CubeTensor) -> Tensor<D> {
    Tensor::<D, Float>::from_primitive::<CubeBackend>(x)
}

pub(super) fn from_tracked<const D: usize>(
    x: <Autodiff<CubeBackend> as burn::backend::BackendTypes>::FloatTensorPrimitive,
) -> Tensor<D> {
    Tensor::<D, Float>::from_primitive::<Autodiff<CubeBackend>>(x)
}

pub(super) fn words(values: Vec<i32>, shape: [usize; 2], device: &Device) -> CubeTensor {
    let data = TensorData::new(values, shape);
    Tensor::<2, Int>::from_data(data, (device, DType::I32))
        .try_into_primitive::<CubeBackend>()
        .expect("the tensor was made on this GPU")
}

/// Sends `tensor` on its way to the GPU. The runtime gathers dozens of tensors before it does that by
/// itself, whatever their size, and keeps them in host memory until then.
pub(super) fn send(tensor: &CubeTensor) {
    // A lost device is told by the next read.
    let _ = tensor.client.flush();
}
