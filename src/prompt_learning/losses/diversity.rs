//! Do several contexts say different things? (MSGCoOp)

use super::{Gradient, Loss, LossInput};
use crate::error::Result;
use crate::math::dot;

/// λ mean_k mean_{i<j} cos(t^i_k, t^j_k)²; nothing for a single set.
#[derive(Debug, Clone, Copy)]
pub struct Diversity {
    /// λ, the weight of this loss.
    pub strength: f64,
}

impl Loss for Diversity {
    fn add(&mut self, input: &LossInput<'_>, gradient: &mut Gradient) -> Result<f64> {
        let (k, d, sets) = (input.classes, input.batch.dim, input.sets);
        let pairs = sets * sets.saturating_sub(1) / 2;
        if pairs == 0 {
            return Ok(0.0);
        }
        let factor = self.strength / (k * pairs) as f64;
        let row = |set: usize, class: usize| (set * k + class) * d;
        let mut sum = 0.0;
        for class in 0..k {
            for i in 0..sets {
                for j in i + 1..sets {
                    let (a, b) = (row(i, class), row(j, class));
                    let cosine = dot(&input.texts[a..a + d], &input.texts[b..b + d]);
                    sum += cosine * cosine;
                    for n in 0..d {
                        gradient.texts[a + n] += 2.0 * factor * cosine * input.texts[b + n];
                        gradient.texts[b + n] += 2.0 * factor * cosine * input.texts[a + n];
                    }
                }
            }
        }
        Ok(factor * sum)
    }
}
