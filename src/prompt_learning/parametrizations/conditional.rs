//! One context per image (CoCoOp); how the image shifts it is the head's formula.

use super::{Expanded, ParamGradient, Parametrization, contexts};
use crate::prompt::heads::conditional::Conditional;
use crate::prompt_learning::examples::Batch;
use crate::prompt_learning::trainer::Group;

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

    fn groups(&self, count: usize) -> Vec<Group> {
        vec![
            contexts(self.context),
            Group {
                name: "network",
                len: count - self.context,
            },
        ]
    }
}
