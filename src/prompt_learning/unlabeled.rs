//! Choosing images without labels for a cache (TFUP).

use crate::prompt::heads::cache::divergence;

/// The fewest and most images kept per class.
const KEPT: (usize, usize) = (9, 16);

/// How many images of each class are kept: 30 % of the class's share, between 9 and 16.
pub fn per_class(images: usize, classes: usize) -> usize {
    ((0.3 * images as f64 / classes as f64) as usize).clamp(KEPT.0, KEPT.1)
}

/// The images [S or fewer] kept for every class out of predictions [N, K]: of the 2 S most certain
/// the S most central, which have the smallest Σ_i KL(q_j ‖ q_i) to them. Equal ones keep their
/// order. An image may stand for several classes, as in the paper.
pub fn select(predictions: &[f64], classes: usize, keep: usize) -> Vec<Vec<usize>> {
    let row = |i: usize| &predictions[i * classes..(i + 1) * classes];
    let count = predictions.len() / classes;
    (0..classes)
        .map(|class| {
            let mut certain: Vec<usize> = (0..count).collect();
            certain.sort_by(|a, b| row(*b)[class].total_cmp(&row(*a)[class]));
            certain.truncate(2 * keep);
            let mut central: Vec<(f64, usize)> = certain
                .iter()
                .map(|j| {
                    let sum = certain.iter().map(|i| divergence(row(*j), row(*i))).sum();
                    (sum, *j)
                })
                .collect();
            central.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            central.truncate(keep);
            central.into_iter().map(|(_, j)| j).collect()
        })
        .collect()
}
