//! Global and local maximum concept matching (Miyai et al. 2023).

use super::{Needs, Parameter, Score, ScoreInput, ScoreParameters};
use crate::math::softmax_peak;

/// MCM of the image plus `local_weight` times the largest MCM of any patch.
///
/// The patch features are those of the last block's value path (`patches` holds their cosines).
/// For a single class it is 1 + `local_weight`.
#[derive(Debug, Clone, Copy)]
pub struct GlMcm;

impl Score for GlMcm {
    fn name(&self) -> &'static str {
        "gl-mcm"
    }

    fn summary(&self) -> &'static str {
        "mcm + w*max over patches and classes of softmax(cos/tau): GL-MCM, 2023"
    }

    fn needs(&self) -> Needs {
        Needs {
            negatives: false,
            patches: true,
            learned_contexts: false,
        }
    }

    fn parameters(&self) -> &'static [Parameter] {
        &[Parameter::Tau, Parameter::LocalWeight]
    }

    fn default_tau(&self, _logit_scale: f64) -> f64 {
        1.0
    }

    fn formula(&self, input: &ScoreInput<'_>, parameters: &ScoreParameters) -> f64 {
        let local = input
            .patches
            .chunks_exact(input.classes.len())
            .map(|patch| softmax_peak(patch, parameters.tau))
            .fold(f64::NEG_INFINITY, f64::max);
        softmax_peak(input.classes, parameters.tau) + parameters.local_weight * local
    }
}
