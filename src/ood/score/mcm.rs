//! Maximum concept matching (Ming et al. 2022).

use super::{Needs, Parameter, Score, ScoreInput, ScoreParameters};
use crate::math::softmax_peak;

/// max over classes of softmax(cos / τ); 1 for a single class, 1/K for K equal cosines.
///
/// The paper's τ is 1 on raw cosines, where every value is close to 1/K: print at least 7 digits.
/// OpenOOD-VLM uses softmax(100 cos), which is τ = 0.01 here.
#[derive(Debug, Clone, Copy)]
pub struct Mcm;

impl Score for Mcm {
    fn name(&self) -> &'static str {
        "mcm"
    }

    fn summary(&self) -> &'static str {
        "max softmax(cos/tau): Maximum Concept Matching, NeurIPS 2022"
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

    fn default_tau(&self, _logit_scale: f64) -> f64 {
        1.0
    }

    fn formula(&self, input: &ScoreInput<'_>, parameters: &ScoreParameters) -> f64 {
        softmax_peak(input.classes, parameters.tau)
    }
}
