//! How far are the texts from fixed ones, number by number? (PromptSRC, Khattak et al., 2023)

use super::{Gradient, Loss, LossInput};

/// λ mean |t − t⁰| over all K·d numbers, averaged over sets.
#[derive(Debug, Clone)]
pub struct Absolute {
    /// λ.
    pub strength: f64,
    /// t⁰ [K, d], unit.
    pub fixed: Vec<f64>,
}

impl Loss for Absolute {
    fn add(&self, view: &LossInput<'_>, gradient: &mut Gradient) -> f64 {
        let factor = self.strength / view.texts.len() as f64;
        let fixed = self.fixed.iter().cycle();
        let mut sum = 0.0;
        for ((t, fixed), g) in view.texts.iter().zip(fixed).zip(&mut gradient.texts) {
            let difference = t - fixed;
            sum += difference.abs();
            // The derivative of |x| at 0 is taken as 0.
            if difference != 0.0 {
                *g += factor * difference.signum();
            }
        }
        factor * sum
    }
}
