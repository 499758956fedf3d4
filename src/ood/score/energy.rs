//! Energy (Liu et al. 2020), with the sign that makes higher mean in-distribution.

use super::{Needs, Parameter, Score, ScoreInput, ScoreParameters};
use crate::math::log_sum_exp;

/// τ · ln Σ exp(cos / τ); cos itself for a single class, cos + τ ln K for K equal cosines.
#[derive(Debug, Clone, Copy)]
pub struct Energy;

impl Score for Energy {
    fn name(&self) -> &'static str {
        "energy"
    }

    fn summary(&self) -> &'static str {
        "tau*logsumexp(cos/tau): negative free energy, NeurIPS 2020"
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
        parameters.tau * log_sum_exp(input.classes, parameters.tau)
    }
}
