//! Several contexts of which a gate picks and weighs two for every image (MoCoOp).

use super::{Expanded, ParamGradient, Parametrization, contexts};
use crate::math::{dot, log_sum_exp, softmax};
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
    /// The unit texts [G, K, d] that the gate's targets are made of.
    pub hard: Vec<f64>,
}

/// Added to the cosines of an image's two nearest groups in the gate's targets.
const PREFERENCE: f64 = 10.0;

impl Mixture {
    /// The gate's target [G] for one image of class `label`: the softmax over groups of its cosine with
    /// the class's text in each, the two best preferred.
    pub fn target(&self, image: &[f64], label: usize) -> Vec<f64> {
        let d = image.len();
        let classes = self.hard.len() / (self.gate.experts * d);
        let texts = self.hard.chunks_exact(classes * d);
        let mut cosines: Vec<f64> = texts
            .map(|group| dot(image, &group[label * d..(label + 1) * d]))
            .collect();
        let mut order: Vec<usize> = (0..cosines.len()).collect();
        order.sort_by(|a, b| cosines[*b].total_cmp(&cosines[*a]));
        order
            .into_iter()
            .take(2)
            .for_each(|g| cosines[g] += PREFERENCE);
        softmax(&cosines, 1.0)
    }
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
        let share = self.strength / batch.len() as f64;
        let mut gradient = vec![0.0; self.gate.count()];
        let mut sum = 0.0;
        for (image, label) in batch.rows().zip(&batch.labels) {
            let scores = self.gate.scores(gate, image);
            let whole = log_sum_exp(&scores, 1.0);
            let target = self.target(image, *label);
            let dz: Vec<f64> = scores
                .iter()
                .zip(&target)
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
