//! Are the images what their folders say?

use super::{Gradient, Loss, LossInput};
use crate::math::log_sum_exp;

/// Mean over the batch of −ln softmax(z)_y.
#[derive(Debug, Clone, Copy)]
pub struct CrossEntropy;

/// −ln softmax(z)_label; leaves `weight` (softmax(z) − y) in `gradient`.
pub fn one(z: &[f64], label: usize, weight: f64, gradient: &mut [f64]) -> f64 {
    let whole = log_sum_exp(z, 1.0);
    for (g, z) in gradient.iter_mut().zip(z) {
        *g += weight * (z - whole).exp();
    }
    gradient[label] -= weight;
    whole - z[label]
}

impl Loss for CrossEntropy {
    fn add(&self, view: &LossInput<'_>, gradient: &mut Gradient) -> f64 {
        let share = 1.0 / view.batch.len() as f64;
        let rows = view.logits.chunks_exact(view.classes);
        let gradients = gradient.logits.chunks_exact_mut(view.classes);
        rows.zip(gradients)
            .zip(&view.batch.labels)
            .map(|((z, g), y)| one(z, *y, share, g))
            .sum::<f64>()
            * share
    }
}
