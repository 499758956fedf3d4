//! Several contexts of which a gate picks and weighs two for every image (MoCoOp).

use super::{Expanded, ParamGradient, Parametrization};
use crate::math::argmax;
use crate::math::dot;
use crate::math::{log_sum_exp, softmax};
use crate::prompt_learning::examples::Batch;

/// Experts that take part in an answer.
const TOP: usize = 2;

/// A linear gate d -> G over one flat list of parameters: weights [G, d], then biases [G].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gate {
    /// d, the length of an image feature.
    pub dim: usize,
    /// G, the number of experts.
    pub experts: usize,
}

impl Gate {
    /// Parameters in all.
    pub fn count(&self) -> usize {
        self.experts * (self.dim + 1)
    }

    fn scores(&self, parameters: &[f32], image: &[f64]) -> Vec<f64> {
        let (weights, biases) = parameters.split_at(self.experts * self.dim);
        weights
            .chunks_exact(self.dim)
            .zip(biases)
            .map(|(row, b)| dot(row, image) + f64::from(*b))
            .collect()
    }

    /// Shares [G] of the experts for a unit image feature: the softmax over the best two, zero
    /// elsewhere. Of equal ones the first are taken.
    pub fn shares(&self, parameters: &[f32], image: &[f64]) -> Vec<f64> {
        let scores = self.scores(parameters, image);
        let mut left = scores.clone();
        let mut chosen = Vec::with_capacity(TOP);
        for _ in 0..TOP.min(self.experts) {
            let best = argmax(&left);
            chosen.push(best);
            left[best] = f64::NEG_INFINITY;
        }
        let among: Vec<f64> = chosen.iter().map(|i| scores[*i]).collect();
        let mut shares = vec![0.0; self.experts];
        for (i, share) in chosen.into_iter().zip(softmax(&among, 1.0)) {
            shares[i] = share;
        }
        shares
    }
}

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
            self.gate.collect(&scores, image, &mut gradient);
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
            self.gate.collect(&dz, image, &mut gradient);
        }
        let mut out = vec![0f32; self.contexts];
        out.extend(gradient.iter().map(|g| *g as f32));
        Some((share * sum, out))
    }
}

impl Gate {
    /// Adds the gradient that `scores` [G] of one image give the gate's parameters.
    fn collect(&self, scores: &[f64], image: &[f64], gradient: &mut [f64]) {
        let (weights, biases) = gradient.split_at_mut(self.experts * self.dim);
        let rows = weights.chunks_exact_mut(self.dim).zip(biases);
        for ((row, bias), dz) in rows.zip(scores) {
            *bias += dz;
            row.iter_mut().zip(image).for_each(|(g, f)| *g += dz * f);
        }
    }
}
