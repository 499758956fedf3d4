//! How far have the texts turned from fixed ones? (KgCoOp, Yao et al., 2023)

use super::{Gradient, Loss, LossInput};
use crate::error::Result;
use crate::math::dot;

/// λ (1 − mean_k cos(mean_c t^c_k, t⁰_k)).
#[derive(Debug, Clone)]
pub struct Anchor {
    /// λ, the weight of this loss.
    pub strength: f64,
    /// t⁰ [K, d], unit.
    pub fixed: Vec<f64>,
}

impl Loss for Anchor {
    fn add(&mut self, input: &LossInput<'_>, gradient: &mut Gradient) -> Result<f64> {
        let (k, d, sets) = (input.classes, input.batch.dim, input.sets);
        let mut cosines = 0.0;
        for (class, fixed) in self.fixed.chunks_exact(d).enumerate() {
            let mut mean = vec![0.0; d];
            for set in 0..sets {
                let row = &input.texts[(set * k + class) * d..][..d];
                for (m, t) in mean.iter_mut().zip(row) {
                    *m += t / sets as f64;
                }
            }
            let length = dot(&mean, &mean).sqrt().max(f64::MIN_POSITIVE);
            let cosine = dot(&mean, fixed) / length;
            cosines += cosine;
            let factor = -self.strength / (k * sets) as f64 / length;
            for set in 0..sets {
                let row = &mut gradient.texts[(set * k + class) * d..][..d];
                for ((g, t), m) in row.iter_mut().zip(fixed).zip(&mean) {
                    *g += factor * (t - cosine * m / length);
                }
            }
        }
        Ok(self.strength * (1.0 - cosines / k as f64))
    }
}
