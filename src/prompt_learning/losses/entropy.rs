//! Are the images what their folders say?

use super::{Gradient, Loss, LossInput};
use crate::error::Result;
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
    fn add(&mut self, input: &LossInput<'_>, gradient: &mut Gradient) -> Result<f64> {
        let share = 1.0 / input.batch.len() as f64;
        let rows = input.logits.chunks_exact(input.classes);
        let gradients = gradient.logits.chunks_exact_mut(input.classes);
        let losses = rows
            .zip(gradients)
            .zip(&input.batch.labels)
            .map(|((z, g), y)| one(z, *y, share, g));
        Ok(losses.sum::<f64>() * share)
    }
}
