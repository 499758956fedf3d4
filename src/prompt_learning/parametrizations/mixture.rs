//! Several contexts of which a gate picks and weighs two for every image (MoCoOp).

use super::{Expanded, ParamGradient, Parametrization, contexts};
use crate::math::dot;
use crate::math::log_sum_exp;
use crate::prompt::heads::mixture::Gate;
use crate::prompt_learning::examples::Batch;
use crate::prompt_learning::trainer::Group;

/// G contexts [G, M, W], then the gate.
#[derive(Debug, Clone)]
pub struct Mixture {
    /// Numbers of all contexts.
    pub contexts: usize,
    /// The gate.
    pub gate: Gate,
    /// Strength of the gate's own cross-entropy.
    pub strength: f64,
    /// Its targets [K, G] for images of each class; rows sum to 1.
    pub targets: Vec<f64>,
}

impl Parametrization for Mixture {
    fn expand(&self, parameters: &[f32], batch: &Batch) -> Expanded {
        let (contexts, gate) = parameters.split_at(self.contexts);
        let weights = batch
            .rows()
            .flat_map(|image| self.gate.shares(gate, image))
            .collect();
        Expanded {
            contexts: contexts.to_vec(),
            weights: Some(weights),
        }
    }

    fn backward(&self, back: &ParamGradient<'_>) -> Vec<f32> {
        let gate = &back.parameters[self.contexts..];
        let g = self.gate.experts;
        let mut gradient = vec![0.0; self.gate.count()];
        for (image, dw) in back.batch.rows().zip(back.weights.chunks_exact(g)) {
            let shares = self.gate.shares(gate, image);
            let center = dot(&shares, dw);
            let scores: Vec<f64> = shares
                .iter()
                .zip(dw)
                .map(|(s, d)| s * (d - center))
                .collect();
            self.gate.backward(&scores, image, &mut gradient);
        }
        let mut out = back.contexts.to_vec();
        out.extend(gradient.iter().map(|g| *g as f32));
        out
    }

    fn penalty(&self, parameters: &[f32], batch: &Batch) -> Option<(f64, Vec<f32>)> {
        if self.strength == 0.0 {
            return None;
        }
        let gate = &parameters[self.contexts..];
        let g = self.gate.experts;
        let share = self.strength / batch.len() as f64;
        let mut gradient = vec![0.0; self.gate.count()];
        let mut sum = 0.0;
        for (image, label) in batch.rows().zip(&batch.labels) {
            let scores = self.gate.scores(gate, image);
            let whole = log_sum_exp(&scores, 1.0);
            let target = &self.targets[label * g..(label + 1) * g];
            let dz: Vec<f64> = scores
                .iter()
                .zip(target)
                .map(|(z, q)| {
                    sum += q * (whole - z);
                    share * ((z - whole).exp() - q)
                })
                .collect();
            self.gate.backward(&dz, image, &mut gradient);
        }
        let mut out = vec![0f32; self.contexts];
        out.extend(gradient.iter().map(|g| *g as f32));
        Some((share * sum, out))
    }

    fn groups(&self, count: usize) -> Vec<Group> {
        vec![
            contexts(self.contexts),
            Group {
                name: "gate",
                len: count - self.contexts,
            },
        ]
    }
}
