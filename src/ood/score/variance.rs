//! Variance of the class probabilities.

use super::{DefaultTau, Needs, Parameter, Score};
use crate::math::softmax;

/// Population variance of softmax(cos / τ) over classes: 0 for a single class or equal cosines.
/// MCM's repository has τ = 1; the default here is 1 / logit_scale.
pub const SCORE: Score = Score {
    name: "variance",
    summary: "var(softmax(cos/tau)) over classes",
    needs: Needs::NONE,
    parameters: &[Parameter::Tau],
    default_tau: DefaultTau::Model,
    formula: |input, parameters| {
        let p = softmax(input.classes, parameters.tau);
        let mean = 1.0 / p.len() as f64;
        p.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / p.len() as f64
    },
};
