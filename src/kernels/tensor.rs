//! Tensors from and to host memory.

use burn::tensor::{DType, Device, Tensor, TensorData};

use crate::error::{Error, Kind, Result};

/// Floats [shape] on `device`.
pub fn floats<const D: usize>(values: Vec<f32>, shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), (device, DType::F32))
}

/// The values of `tensor` in row-major order, read without blocking.
///
/// # Errors
/// `gpu/lost` if the device fails, `engine/not-finite` if a value is NaN or infinite.
pub async fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    let data = tensor.into_data_async().await.map_err(|e| {
        let why = format!("{e:?}");
        let line = why.lines().next().unwrap_or_default();
        let sentence = format!(
            "The device failed while computing ({line}). Load the model again, on the CPU where this \
             goes on."
        );
        Error::new(Kind::GpuLost, sentence)
    })?;
    let values = data.try_to_vec::<f32>().map_err(|e| {
        Error::new(
            Kind::Internal,
            format!("A tensor has an unexpected type: {e:?}"),
        )
    })?;
    if values.iter().all(|v| v.is_finite()) {
        Ok(values)
    } else {
        Err(Error::new(
            Kind::NotFinite,
            "The model computed NaN or infinity for this input.",
        ))
    }
}
