//! Global and local maximum concept matching (Miyai et al. 2023).

use super::{DefaultTau, Needs, Parameter, Score};
use crate::math::softmax_peak;

/// MCM of the image plus `local_weight` times the largest MCM of any patch.
///
/// The patch features are those of the last block's value path (`patches` holds their cosines).
/// For a single class it is 1 + `local_weight`.
pub const SCORE: Score = Score {
    name: "gl-mcm",
    summary: "mcm + w*max over patches and classes of softmax(cos/tau): GL-MCM, 2023",
    needs: Needs {
        patches: true,
        ..Needs::NONE
    },
    parameters: &[Parameter::Tau, Parameter::LocalWeight],
    default_tau: DefaultTau::One,
    formula: |input, parameters| {
        let local = input
            .patches
            .chunks_exact(input.classes.len())
            .map(|patch| softmax_peak(patch, parameters.tau))
            .fold(f64::NEG_INFINITY, f64::max);
        softmax_peak(input.classes, parameters.tau) + parameters.local_weight * local
    },
};
