//! Maximum concept matching (Ming et al. 2022).

use super::{DefaultTau, Needs, Parameter, Score};
use crate::math::softmax_peak;

/// max over classes of softmax(cos / τ); 1 for a single class, 1/K for K equal cosines.
///
/// The paper's τ is 1 on raw cosines, where every value is close to 1/K: print at least 7 digits.
/// OpenOOD-VLM uses softmax(100 cos), which is τ = 0.01 here.
pub const SCORE: Score = Score {
    name: "mcm",
    summary: "max softmax(cos/tau): Maximum Concept Matching, NeurIPS 2022",
    needs: Needs::NONE,
    parameters: &[Parameter::Tau],
    default_tau: DefaultTau::One,
    formula: |input, parameters| softmax_peak(input.classes, parameters.tau),
};
