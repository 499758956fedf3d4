//! LAPT (Zhang et al. 2024): the NegLabel formula on texts with learned contexts.

use super::{Needs, Score, neglabel};

/// NegLabel, if the class names were encoded with the learned context v_ID and the negative labels
/// with v_neg.
pub const SCORE: Score = Score {
    name: "lapt",
    summary: "NegLabel with learned contexts for class names and negatives: LAPT, ECCV 2024",
    needs: Needs {
        learned_contexts: true,
        ..neglabel::SCORE.needs
    },
    ..neglabel::SCORE
};
