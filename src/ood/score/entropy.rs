//! Negative entropy of the class probabilities.

use super::{Needs, Parameter, Score, ScoreInput, ScoreParameters, model_tau};
use crate::math::softmax;

/// −H(softmax(cos / τ)) in nats: 0 for a single class, −ln K for K equal cosines.
#[derive(Debug, Clone, Copy)]
pub struct Entropy;

impl Score for Entropy {
    fn name(&self) -> &'static str {
        "entropy"
    }

    fn summary(&self) -> &'static str {
        "-entropy(softmax(cos/tau)), in nats"
    }

    fn needs(&self) -> Needs {
        Needs {
            negatives: false,
            patches: false,
            learned_contexts: false,
        }
    }

    fn parameters(&self) -> &'static [Parameter] {
        &[Parameter::Tau]
    }

    fn default_tau(&self, logit_scale: f64) -> f64 {
        model_tau(logit_scale)
    }

    fn formula(&self, input: &ScoreInput<'_>, parameters: &ScoreParameters) -> f64 {
        // Written as Σ p ln p with 0 ln 0 = 0, which an underflowing probability reaches.
        softmax(input.classes, parameters.tau)
            .into_iter()
            .filter(|p| *p > 0.0)
            .map(|p| p * p.ln())
            .sum()
    }
}
