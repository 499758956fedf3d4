//! The tensors that a model must have.

use crate::quant::Role;

/// A tensor that a model must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorSpec {
    /// The Hugging Face name.
    pub name: String,
    /// Dimensions, outermost first; empty for a scalar.
    pub shape: Vec<usize>,
    /// How it is used.
    pub role: Role,
}

impl TensorSpec {
    /// `(rows, cols)` of the tensor seen as a matrix: the first dimension by the product of the
    /// others. A scalar is 1 x 1 and a vector is one column.
    pub fn matrix(&self) -> (usize, usize) {
        let rows = self.shape.first().copied().unwrap_or(1);
        (rows, self.shape.iter().skip(1).product())
    }

    /// Number of elements.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }
}

/// Lists the tensors of a model in order.
pub(super) struct SpecList(pub(super) Vec<TensorSpec>);

impl SpecList {
    pub(super) fn extend(&mut self, specs: Vec<TensorSpec>) {
        self.0.extend(specs);
    }

    pub(super) fn add(&mut self, name: impl Into<String>, shape: &[usize], role: Role) {
        self.0.push(TensorSpec {
            name: name.into(),
            shape: shape.to_vec(),
            role,
        });
    }

    fn linear(&mut self, name: &str, outputs: usize, inputs: usize) {
        self.add(format!("{name}.weight"), &[outputs, inputs], Role::Linear);
        self.add(format!("{name}.bias"), &[outputs], Role::Float);
    }

    pub(super) fn norm(&mut self, name: &str, width: usize) {
        self.add(format!("{name}.weight"), &[width], Role::Float);
        self.add(format!("{name}.bias"), &[width], Role::Float);
    }

    pub(super) fn blocks(&mut self, tower: &str, layers: usize, width: usize, mlp: usize) {
        for layer in 0..layers {
            let block = format!("{tower}.encoder.layers.{layer}");
            self.norm(&format!("{block}.layer_norm1"), width);
            for part in ["q_proj", "k_proj", "v_proj", "out_proj"] {
                self.linear(&format!("{block}.self_attn.{part}"), width, width);
            }
            self.norm(&format!("{block}.layer_norm2"), width);
            self.linear(&format!("{block}.mlp.fc1"), mlp, width);
            self.linear(&format!("{block}.mlp.fc2"), width, mlp);
        }
    }
}
