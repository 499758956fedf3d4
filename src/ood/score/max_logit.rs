//! The largest cosine.

use super::{DefaultTau, Needs, Score};
use crate::math::maximum;

/// max over classes of cos, without temperature.
pub const SCORE: Score = Score {
    name: "max-logit",
    summary: "max cos: the largest cosine to a class name",
    needs: Needs::NONE,
    parameters: &[],
    default_tau: DefaultTau::One,
    formula: |input, _| maximum(input.classes),
};
