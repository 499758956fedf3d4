//! A convolution of the tower, its batch norm, and the tensors of both.

use super::super::tensor_spec::TensorSpec;
use crate::quant::Role;

/// Added to the variance in every batch norm.
pub const BATCH_NORM_EPS: f64 = 1e-3;

/// A convolution with the batch norm behind it. The names are those of timm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Convolution {
    /// Name of the convolution, without `.weight`.
    pub name: String,
    /// Name of the batch norm, without `.weight`.
    pub norm: String,
    /// Both names in the files of the efficientnet-pytorch package.
    pub published: [String; 2],
    /// Outputs, inputs of each output, height and width of the kernel.
    pub shape: [usize; 4],
    /// How the weights are used.
    pub role: Role,
}

impl Convolution {
    /// The weights.
    pub fn weight(&self) -> TensorSpec {
        spec(format!("{}.weight", self.name), &self.shape, self.role)
    }

    /// The biases, which a convolution has once its batch norm is folded.
    pub fn bias(&self) -> TensorSpec {
        spec(format!("{}.bias", self.name), &self.shape[..1], Role::Float)
    }

    /// Scale, shift, mean and variance of the batch norm.
    pub fn norms(&self) -> [String; 4] {
        ["weight", "bias", "running_mean", "running_var"]
            .map(|part| format!("{}.{part}", self.norm))
    }
}

pub(super) fn spec(name: String, shape: &[usize], role: Role) -> TensorSpec {
    TensorSpec {
        name,
        shape: shape.to_vec(),
        role,
    }
}
