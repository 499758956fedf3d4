//! NegLabel (Jiang et al. 2024): how much of the probability mass the class names keep against
//! negative labels.

use super::grouped::ratio;
use super::{DefaultTau, Needs, Parameter, Score};

/// Mean over groups of Σ_ID e^{cos/τ} / (Σ_ID e^{cos/τ} + Σ_negatives of the group e^{cos/τ}).
///
/// What does not divide into `groups` is left out at the end of the list, the others are dealt by a
/// fixed shuffle, and every group meets all class names. With one group it is the plain ratio.
/// Negatives given twice count twice.
pub const SCORE: Score = Score {
    name: "neglabel",
    summary: "mean over groups of ID mass / (ID mass + negative mass): NegLabel, ICLR 2024",
    needs: Needs {
        negatives: true,
        ..Needs::NONE
    },
    parameters: &[Parameter::Tau, Parameter::Groups, Parameter::ShuffleSeed],
    default_tau: DefaultTau::Model,
    formula: |input, parameters| ratio(input.classes, input.negatives, parameters),
};
