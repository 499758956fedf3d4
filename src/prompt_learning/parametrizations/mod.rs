//! Parametrizations: how trained parameters make contexts, and gradients go back.

mod conditional;
mod direct;
mod mixture;
mod reparametrized;
mod told;

pub use direct::{Direct, Parts};
pub use mixture::Mixture;
pub use reparametrized::{Encoder, Reparametrized};
pub use told::Told;

use super::examples::Batch;
use super::trainer::Group;

/// Contexts for one batch.
#[derive(Debug, Clone, Default)]
pub struct Expanded {
    /// [C, M, W].
    pub contexts: Vec<f32>,
    /// Shares of the contexts in each image's logits [B, C]. `None`: all equal.
    pub weights: Option<Vec<f64>>,
}

/// The gradient of the loss, before the parametrization.
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

/// A map from parameters to contexts, with its gradient.
pub trait Parametrization {
    /// The contexts of `parameters` for `batch`.
    fn expand(&self, parameters: &[f32], batch: &Batch) -> Expanded;

    /// d loss / d parameters.
    fn backward(&self, back: &ParamGradient<'_>) -> Vec<f32>;

    /// The groups of `count` parameters that each have a learning rate of their own, in their order.
    /// By default all are contexts.
    fn groups(&self, count: usize) -> Vec<Group> {
        vec![contexts(count)]
    }

    /// A loss on the parameters alone and its gradient. `None` by default.
    fn penalty(&self, _parameters: &[f32], _batch: &Batch) -> Option<(f64, Vec<f32>)> {
        None
    }
}

/// The group of contexts.
fn contexts(len: usize) -> Group {
    Group {
        name: "contexts",
        len,
    }
}
