//! Variance of the class probabilities.

use super::{Needs, Parameter, Score, ScoreInput, ScoreParameters, model_tau};
use crate::math::softmax;

/// Population variance of softmax(cos / τ) over classes: 0 for a single class or equal cosines.
#[derive(Debug, Clone, Copy)]
pub struct Variance;

impl Score for Variance {
    fn name(&self) -> &'static str {
        "variance"
    }

    fn summary(&self) -> &'static str {
        "var(softmax(cos/tau)) over classes"
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
        let p = softmax(input.classes, parameters.tau);
        let mean = 1.0 / p.len() as f64;
        p.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / p.len() as f64
    }
}
