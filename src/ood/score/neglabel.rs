//! NegLabel (Jiang et al. 2024): how much of the probability mass the class names keep against
//! negative labels.

use super::grouped::ratio;
use super::{Needs, Parameter, Score, ScoreInput, ScoreParameters, model_tau};

/// Mean over groups of Σ_ID e^{cos/τ} / (Σ_ID e^{cos/τ} + Σ_negatives of the group e^{cos/τ}).
///
/// Negatives are dealt into `groups` by a fixed shuffle, the remainder is dropped, and every group
/// meets all class names. With one group it is the plain ratio. Negatives given twice count twice.
#[derive(Debug, Clone, Copy)]
pub struct NegLabel;

impl Score for NegLabel {
    fn name(&self) -> &'static str {
        "neglabel"
    }

    fn summary(&self) -> &'static str {
        "mean over groups of ID mass / (ID mass + negative mass): NegLabel, ICLR 2024"
    }

    fn needs(&self) -> Needs {
        Needs {
            negatives: true,
            patches: false,
            learned_contexts: false,
        }
    }

    fn parameters(&self) -> &'static [Parameter] {
        &[Parameter::Tau, Parameter::Groups, Parameter::ShuffleSeed]
    }

    fn default_tau(&self, logit_scale: f64) -> f64 {
        model_tau(logit_scale)
    }

    fn formula(&self, input: &ScoreInput<'_>, parameters: &ScoreParameters) -> f64 {
        ratio(input.classes, input.negatives, parameters)
    }
}
