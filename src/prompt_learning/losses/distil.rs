//! Do the images still look to the prompt as they look to a fixed one?

use super::{Gradient, Loss, LossInput};
use crate::error::Result;
use crate::math::{dot, log_sum_exp};

/// λ T² / n Σ_b KL(p⁰_b ‖ p_b) with p = softmax(z / T) and p⁰ of the fixed texts; n is the batch, or
/// batch times classes. Teacher first: the prompt is drawn to every class the teacher allows.
#[derive(Debug, Clone)]
pub struct Distil {
    /// λ, the weight of this loss.
    pub strength: f64,
    /// t⁰ [K, d], unit.
    pub fixed: Vec<f64>,
    /// T, the temperature.
    pub temperature: f64,
    /// Whether to divide by the classes too, as PromptSRC.
    pub per_class: bool,
}

impl Loss for Distil {
    fn add(&mut self, input: &LossInput<'_>, gradient: &mut Gradient) -> Result<f64> {
        let (k, t) = (input.classes, self.temperature);
        let divisor = input.batch.len() * if self.per_class { k } else { 1 };
        let factor = self.strength * t * t / divisor as f64;
        let mut sum = 0.0;
        for (b, image) in input.batch.rows().enumerate() {
            let teacher: Vec<f64> = self
                .fixed
                .chunks_exact(input.batch.dim)
                .map(|text| input.scale * dot(image, text))
                .collect();
            let z = &input.logits[b * k..(b + 1) * k];
            let (whole, teacher_whole) = (log_sum_exp(z, t), log_sum_exp(&teacher, t));
            let g = &mut gradient.logits[b * k..(b + 1) * k];
            for ((z, z0), g) in z.iter().zip(&teacher).zip(g) {
                let (ln_p, ln_p0) = (z / t - whole, z0 / t - teacher_whole);
                let p0 = ln_p0.exp();
                sum += p0 * (ln_p0 - ln_p);
                *g += factor / t * (ln_p.exp() - p0);
            }
        }
        Ok(factor * sum)
    }
}
