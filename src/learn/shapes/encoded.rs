//! A context behind a residual encoder: v' = v + a Enc(v), row by row (PRE).

use super::{Back, Expanded, Shape};
use crate::learn::examples::Batch;
use crate::learn::perceptron::Perceptron;

/// v [M, W], then the encoder W -> hidden -> W.
#[derive(Debug, Clone, Copy)]
pub struct Encoded {
    /// Numbers of v.
    pub context: usize,
    /// The encoder.
    pub encoder: Perceptron,
    /// a.
    pub strength: f64,
}

impl Encoded {
    /// v' [M, W]: what is kept when the encoder is thrown away.
    pub fn merged(&self, parameters: &[f32]) -> Vec<f32> {
        let (v, encoder) = parameters.split_at(self.context);
        let mut out = v.to_vec();
        if self.strength == 0.0 {
            return out;
        }
        for row in out.chunks_exact_mut(self.encoder.input) {
            let x: Vec<f64> = row.iter().map(|v| f64::from(*v)).collect();
            let y = self.encoder.forward(encoder, &x).output;
            for (v, y) in row.iter_mut().zip(y) {
                *v = (f64::from(*v) + self.strength * y) as f32;
            }
        }
        out
    }
}

impl Shape for Encoded {
    fn expand(&self, parameters: &[f32], _: &Batch) -> Expanded {
        Expanded {
            contexts: self.merged(parameters),
            weights: None,
        }
    }

    fn pull_back(&self, back: &Back<'_>) -> Vec<f32> {
        let (v, encoder) = back.parameters.split_at(self.context);
        let mut gradient = vec![0.0; encoder.len()];
        let mut out = back.contexts.to_vec();
        let w = self.encoder.input;
        for (row, out) in v.chunks_exact(w).zip(out.chunks_exact_mut(w)) {
            let x: Vec<f64> = row.iter().map(|v| f64::from(*v)).collect();
            let dy: Vec<f64> = out.iter().map(|g| self.strength * f64::from(*g)).collect();
            let trace = self.encoder.forward(encoder, &x);
            let dx = self
                .encoder
                .backward(encoder, &x, &trace, &dy, &mut gradient);
            for (g, dx) in out.iter_mut().zip(dx) {
                *g += dx as f32;
            }
        }
        out.extend(gradient.iter().map(|g| *g as f32));
        out
    }
}
