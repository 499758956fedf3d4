//! LAPT (Zhang et al. 2024): two contexts, v_ID in front of every class name and v_neg in front of
//! every negative label, trained on images of both kinds.
//!
//! This is the arithmetic after the towers: the losses with their exact gradients with respect to
//! the text features, the partners for mixing, and the labeling of images from names alone. Rows
//! `0..K` of the text features belong to the classes and pass their gradients on to v_ID, rows
//! `K..` to the negative labels and v_neg.

mod losses;
mod partners;
mod pseudo_label;

pub use losses::{Mix, MixedLoss, Samples, cross_distribution, cross_entropy, cross_modal};
pub use partners::partners;
pub use pseudo_label::{MAX_IMAGES, PseudoLabel, PseudoLabels, default_threshold, pseudo_label};

/// α of λ ~ Beta(α, α) in cross-modal mixing.
pub const CROSS_MODAL_ALPHA: f64 = 1.0;
/// β of λ ~ Beta(β, β) in cross-distribution mixing.
pub const CROSS_DISTRIBUTION_BETA: f64 = 0.3;
