//! How far are the texts from fixed ones, number by number? (PromptSRC, Khattak et al., 2023)

use super::{Gradient, Loss, LossInput};
use crate::error::Result;

/// λ mean |t − t⁰| over all K·d numbers, averaged over sets.
#[derive(Debug, Clone)]
pub struct Absolute {
    /// λ, the weight of this loss.
    pub strength: f64,
    /// t⁰ [K, d], unit.
    pub fixed: Vec<f64>,
}

impl Loss for Absolute {
    fn add(&mut self, input: &LossInput<'_>, gradient: &mut Gradient) -> Result<f64> {
        let factor = self.strength / input.texts.len() as f64;
        let fixed = self.fixed.iter().cycle();
        let mut sum = 0.0;
        for ((t, fixed), g) in input.texts.iter().zip(fixed).zip(&mut gradient.texts) {
            let difference = t - fixed;
            sum += difference.abs();
            // The derivative of |x| at 0 is taken as 0.
            if difference != 0.0 {
                *g += factor * difference.signum();
            }
        }
        Ok(factor * sum)
    }
}
