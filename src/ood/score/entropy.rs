//! Negative entropy of the class probabilities.

use super::{DefaultTau, Needs, Parameter, Score};
use crate::math::softmax;

/// −H(softmax(cos / τ)) in nats: 0 for a single class, −ln K for K equal cosines. MCM's repository
/// has τ = 1, at which the probabilities are almost equal; the default here is 1 / logit_scale.
pub const SCORE: Score = Score {
    name: "entropy",
    summary: "-entropy(softmax(cos/tau)), in nats",
    needs: Needs::NONE,
    parameters: &[Parameter::Tau],
    default_tau: DefaultTau::Model,
    formula: |input, parameters| {
        // Written as Σ p ln p with 0 ln 0 = 0, which an underflowing probability reaches.
        softmax(input.classes, parameters.tau)
            .into_iter()
            .filter(|p| *p > 0.0)
            .map(|p| p * p.ln())
            .sum()
    },
};
