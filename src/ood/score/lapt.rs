//! LAPT (Zhang et al. 2024): the NegLabel formula on texts with learned contexts.

use super::grouped::ratio;
use super::{Needs, Parameter, Score, ScoreInput, ScoreParameters, model_tau};

/// The formula of [`NegLabel`](super::NegLabel) where the class names were encoded with the learned
/// context v_ID and the negative labels with v_neg.
#[derive(Debug, Clone, Copy)]
pub struct Lapt;

impl Score for Lapt {
    fn name(&self) -> &'static str {
        "lapt"
    }

    fn summary(&self) -> &'static str {
        "NegLabel with learned contexts for class names and negatives: LAPT, ECCV 2024"
    }

    fn needs(&self) -> Needs {
        Needs {
            negatives: true,
            patches: false,
            learned_contexts: true,
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
