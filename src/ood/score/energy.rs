//! Energy (Liu et al. 2020), with the sign that makes higher mean in-distribution.

use super::{DefaultTau, Needs, Parameter, Score};
use crate::math::log_sum_exp;

/// τ · ln Σ exp(cos / τ); cos itself for a single class, cos + τ ln K for K equal cosines.
pub const SCORE: Score = Score {
    name: "energy",
    summary: "tau*logsumexp(cos/tau): negative free energy, NeurIPS 2020",
    needs: Needs::NONE,
    parameters: &[Parameter::Tau],
    default_tau: DefaultTau::One,
    formula: |input, parameters| parameters.tau * log_sum_exp(input.classes, parameters.tau),
};
