//! LoCoOp: regions of a photo that look like none of its class belong to no class at all.

use super::{Gradient, Loss, LossInput};
use crate::error::{Error, Kind, Result};
use crate::math::{dot, log_sum_exp};

/// Added to probabilities inside the logarithm, as the authors do.
const EPSILON: f64 = 1e-5;

/// λ / |F| Σ_{r ∈ F} Σ_c p_rc ln(p_rc + ε) over the foreign regions F of a batch: those without the
/// photo's class among their most probable ones. It is the negative entropy, so that it pushes what
/// they show towards no class.
#[derive(Debug, Clone, Copy)]
pub struct ForeignRegions {
    /// λ.
    pub strength: f64,
    /// How many of the most probable classes of a region count: a region with the class of its photo
    /// among them is its own.
    pub top: usize,
}

impl ForeignRegions {
    /// The value of the loss on the logits [R, K] of regions, and its gradient [R, K]; `labels` [R]
    /// are the classes of their photos. Of equal logits the lower class comes first.
    pub fn on_logits(&self, logits: &[f64], labels: &[usize], classes: usize) -> (f64, Vec<f64>) {
        let mut gradient = vec![0.0; logits.len()];
        let rows = || logits.chunks_exact(classes).zip(labels);
        let foreign = rows().filter(|(z, label)| self.is_foreign(z, **label));
        let share = self.strength / (foreign.count().max(1) as f64);
        let mut value = 0.0;
        for ((z, label), gradient) in rows().zip(gradient.chunks_exact_mut(classes)) {
            if !self.is_foreign(z, *label) {
                continue;
            }
            let whole = log_sum_exp(z, 1.0);
            let p: Vec<f64> = z.iter().map(|z| (z - whole).exp()).collect();
            // d / dp of p ln(p + ε).
            let slopes: Vec<f64> = p
                .iter()
                .map(|p| (p + EPSILON).ln() + p / (p + EPSILON))
                .collect();
            let mean: f64 = p.iter().zip(&slopes).map(|(p, slope)| p * slope).sum();
            for ((gradient, p), slope) in gradient.iter_mut().zip(&p).zip(&slopes) {
                *gradient = share * p * (slope - mean);
            }
            value += share * p.iter().map(|p| p * (p + EPSILON).ln()).sum::<f64>();
        }
        (value, gradient)
    }

    fn is_foreign(&self, z: &[f64], label: usize) -> bool {
        let own = z[label];
        let before = |(class, z): &(usize, &f64)| **z > own || (**z == own && *class < label);
        z.iter().enumerate().filter(before).count() >= self.top
    }
}

impl Loss for ForeignRegions {
    fn add(&mut self, input: &LossInput<'_>, gradient: &mut Gradient) -> Result<f64> {
        let (k, d) = (input.classes, input.batch.dim);
        let regions = &input.batch.local_features;
        if input.sets != 1 || regions.is_empty() {
            return Err(Error::new(
                Kind::Internal,
                "The loss over regions needs local features and one context for each class.",
            ));
        }
        let per_image = regions.len() / d / input.batch.len();
        let labels: Vec<usize> = (input.batch.labels.iter())
            .flat_map(|label| std::iter::repeat_n(*label, per_image))
            .collect();
        let logits: Vec<f64> = regions
            .chunks_exact(d)
            .flat_map(|region| {
                let texts = input.texts.chunks_exact(d);
                texts.map(move |text| input.scale * dot(region, text))
            })
            .collect();
        let (value, dz) = self.on_logits(&logits, &labels, k);
        for (region, dz) in regions.chunks_exact(d).zip(dz.chunks_exact(k)) {
            for (row, dz) in gradient.texts.chunks_exact_mut(d).zip(dz) {
                if *dz != 0.0 {
                    let factor = input.scale * dz;
                    row.iter_mut()
                        .zip(region)
                        .for_each(|(g, f)| *g += factor * f);
                }
            }
        }
        Ok(value)
    }
}
