//! Does every expert still tell the classes apart as its group of hard templates does? (MoCoOp)

use super::{Gradient, Loss, LossInput, entropy};
use crate::error::Result;
use crate::math::dot;

/// λ mean over sets and classes of the cross-entropy of softmax_j(t^c_k · h^c_j) against k. The
/// authors' code has no temperature here; with CLIP's the loss would have no gradient.
#[derive(Debug, Clone)]
pub struct HardTexts {
    /// λ, the weight of this loss.
    pub strength: f64,
    /// h [C, K, d], unit: the hard texts of each set.
    pub fixed: Vec<f64>,
}

impl Loss for HardTexts {
    fn add(&mut self, input: &LossInput<'_>, gradient: &mut Gradient) -> Result<f64> {
        let (k, d) = (input.classes, input.batch.dim);
        let share = self.strength / (input.sets * k) as f64;
        let mut sum = 0.0;
        for (row, text) in input.texts.chunks_exact(d).enumerate() {
            let (set, class) = (row / k, row % k);
            let hard = &self.fixed[set * k * d..(set + 1) * k * d];
            let z: Vec<f64> = hard.chunks_exact(d).map(|h| dot(text, h)).collect();
            let mut dz = vec![0.0; k];
            sum += entropy::one(&z, class, share, &mut dz);
            let g = &mut gradient.texts[row * d..(row + 1) * d];
            for (hard, dz) in hard.chunks_exact(d).zip(dz) {
                g.iter_mut().zip(hard).for_each(|(g, h)| *g += dz * h);
            }
        }
        Ok(share * sum)
    }
}
