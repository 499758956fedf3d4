//! A cache from images without labels (TFUP).

use crate::math::dot;
use crate::math::softmax;

/// The temperature of the predictions that images are compared by: q = softmax(10 f · T).
const SHARPNESS: f64 = 10.0;

/// The fewest and most images kept per class.
const KEPT: (usize, usize) = (9, 16);

/// q [K] of a unit image feature and unit text features [K, d].
pub fn predictions(image: &[f64], texts: &[f64]) -> Vec<f64> {
    let z: Vec<f64> = texts
        .chunks_exact(image.len())
        .map(|t| SHARPNESS * dot(image, t))
        .collect();
    softmax(&z, 1.0)
}

/// Σ p ln(p / q).
pub fn divergence(p: &[f64], q: &[f64]) -> f64 {
    p.iter()
        .zip(q)
        .map(|(p, q)| if *p > 0.0 { p * (p / q).ln() } else { 0.0 })
        .sum()
}

/// How alike the prediction of an image is to those of the keys [N, K], 0 to 2: twice one minus
/// KL(image ‖ key) brought to 0..1 over the keys. All 2 if the keys are equally far.
pub fn likeness(own: &[f64], keys: &[f64]) -> Vec<f64> {
    let far: Vec<f64> = keys
        .chunks_exact(own.len())
        .map(|key| divergence(own, key))
        .collect();
    let low = far.iter().copied().fold(f64::INFINITY, f64::min);
    let high = far.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let range = high - low;
    far.iter()
        .map(|d| {
            let share = if range > 0.0 { (d - low) / range } else { 0.0 };
            2.0 * (1.0 - share)
        })
        .collect()
}

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
