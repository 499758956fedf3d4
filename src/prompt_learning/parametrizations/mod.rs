//! What the parameters of a prompt are, and how contexts come out of them.

mod conditional;
mod direct;
mod mixture;
mod reparametrized;

pub use direct::Direct;
pub use mixture::Mixture;
pub use reparametrized::{Encoder, Reparametrized};

pub use crate::prompt::heads::conditional::Conditional;
pub use crate::prompt::heads::mixture::Gate;

use super::examples::Batch;

/// Contexts for one batch.
#[derive(Debug, Clone, Default)]
pub struct Expanded {
    /// [C, M, W].
    pub contexts: Vec<f32>,
    /// Shares of the contexts in each image's logits [B, C]; none where they are averaged.
    pub weights: Option<Vec<f64>>,
}

/// What comes back from the loss.
#[derive(Debug, Clone, Copy)]
pub struct ParamGradient<'a> {
    /// The parameters.
    pub parameters: &'a [f32],
    /// The batch.
    pub batch: &'a Batch,
    /// d loss / d contexts [C, M, W].
    pub contexts: &'a [f32],
    /// d loss / d weights [B, C].
    pub weights: &'a [f64],
}

/// A way from parameters to contexts and, for gradients, back.
pub trait Parametrization {
    /// The contexts of `parameters` for `batch`.
    fn expand(&self, parameters: &[f32], batch: &Batch) -> Expanded;

    /// d loss / d parameters.
    fn backward(&self, back: &ParamGradient<'_>) -> Vec<f32>;

    /// A loss on the parameters alone and its gradient; none by default.
    fn penalty(&self, _parameters: &[f32], _batch: &Batch) -> Option<(f64, Vec<f32>)> {
        None
    }
}
