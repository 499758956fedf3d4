//! The largest cosine.

use super::{Needs, Parameter, Score, ScoreInput, ScoreParameters};
use crate::math::maximum;

/// max over classes of cos, without temperature.
#[derive(Debug, Clone, Copy)]
pub struct MaxLogit;

impl Score for MaxLogit {
    fn name(&self) -> &'static str {
        "max-logit"
    }

    fn summary(&self) -> &'static str {
        "max cos: the largest cosine to a class name"
    }

    fn needs(&self) -> Needs {
        Needs {
            negatives: false,
            patches: false,
            learned_contexts: false,
        }
    }

    fn parameters(&self) -> &'static [Parameter] {
        &[]
    }

    fn default_tau(&self, _logit_scale: f64) -> f64 {
        1.0
    }

    fn formula(&self, input: &ScoreInput<'_>, _parameters: &ScoreParameters) -> f64 {
        maximum(input.classes)
    }
}
