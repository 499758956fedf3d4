//! One context per image: v_m + a π(f), the same shift for all m (CoCoOp).

use super::{Expanded, ParamGradient, Parametrization};
use crate::prompt_learning::examples::Batch;
use crate::prompt_learning::perceptron::Perceptron;

/// v [M, W], then π: d -> hidden -> W.
#[derive(Debug, Clone, Copy)]
pub struct Conditional {
    /// Numbers of v.
    pub context: usize,
    /// π, from an image feature to the shift.
    pub network: Perceptron,
    /// a, the weight of the shift.
    pub strength: f64,
}

impl Conditional {
    /// The context [M, W] of an image with unit feature `image` [d].
    pub fn context(&self, parameters: &[f32], image: &[f64]) -> Vec<f32> {
        let (v, network) = parameters.split_at(self.context);
        let mut out = v.to_vec();
        if self.strength == 0.0 {
            return out;
        }
        let shift = self.network.forward(network, image).output;
        for row in out.chunks_exact_mut(self.network.output) {
            for (v, s) in row.iter_mut().zip(&shift) {
                *v = (f64::from(*v) + self.strength * s) as f32;
            }
        }
        out
    }
}

impl Parametrization for Conditional {
    fn expand(&self, parameters: &[f32], batch: &Batch) -> Expanded {
        let n = batch.len();
        let contexts = batch
            .rows()
            .flat_map(|image| self.context(parameters, image))
            .collect();
        let mut weights = vec![0.0; n * n];
        (0..n).for_each(|i| weights[i * n + i] = 1.0);
        Expanded {
            contexts,
            weights: Some(weights),
        }
    }

    fn backward(&self, back: &ParamGradient<'_>) -> Vec<f32> {
        let network = &back.parameters[self.context..];
        let mut v = vec![0f64; self.context];
        let mut gradient = vec![0.0; network.len()];
        for (image, g) in back
            .batch
            .rows()
            .zip(back.contexts.chunks_exact(self.context))
        {
            let mut shift = vec![0.0; self.network.output];
            for (i, g) in g.iter().enumerate() {
                v[i] += f64::from(*g);
                shift[i % self.network.output] += self.strength * f64::from(*g);
            }
            let trace = self.network.forward(network, image);
            self.network
                .backward(network, &trace, &shift, &mut gradient);
        }
        v.iter().chain(&gradient).map(|g| *g as f32).collect()
    }
}
