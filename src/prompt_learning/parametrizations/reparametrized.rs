//! A context through a residual encoder: v' = v + a Enc(v) (PRE).

use super::{Expanded, ParamGradient, Parametrization, contexts};
use crate::math::perceptron::{self, Perceptron};
use crate::prompt_learning::examples::Batch;
use crate::prompt_learning::lstm::{self, Lstm};
use crate::prompt_learning::trainer::Group;
use crate::rng::Rng;

/// The network between parameters and context.
#[derive(Debug, Clone, Copy)]
pub enum Encoder {
    /// Row by row.
    Perceptron(Perceptron),
    /// Over the rows in both directions.
    Lstm(Lstm),
}

/// Activations saved by `forward` for `backward`.
enum Trace {
    Rows(Vec<perceptron::Trace>),
    Sequence(lstm::Trace),
}

impl Encoder {
    /// Parameters in all.
    pub fn count(&self) -> usize {
        match self {
            Self::Perceptron(network) => network.count(),
            Self::Lstm(network) => network.count(),
        }
    }

    /// The parameters at the start.
    pub fn start(&self, rng: &mut Rng) -> Vec<f32> {
        match self {
            Self::Perceptron(network) => network.start(rng),
            Self::Lstm(network) => network.start(rng),
        }
    }

    /// Enc(v) [M, W].
    fn forward(&self, parameters: &[f32], v: &[f64]) -> (Vec<f64>, Trace) {
        match self {
            Self::Perceptron(network) => {
                let rows = v.chunks_exact(network.input);
                let traces: Vec<_> = rows.map(|row| network.forward(parameters, row)).collect();
                let output = traces.iter().flat_map(|t| &t.output).copied().collect();
                (output, Trace::Rows(traces))
            }
            Self::Lstm(network) => {
                let trace = network.forward(parameters, v);
                (trace.output.clone(), Trace::Sequence(trace))
            }
        }
    }

    /// d loss / d v, with d loss / d parameters added to `gradient`.
    fn backward(&self, p: &[f32], trace: &Trace, dy: &[f64], gradient: &mut [f64]) -> Vec<f64> {
        match (self, trace) {
            (Self::Perceptron(network), Trace::Rows(traces)) => {
                let rows = traces.iter().zip(dy.chunks_exact(network.output));
                rows.flat_map(|(trace, dy)| network.backward(p, trace, dy, gradient))
                    .collect()
            }
            (Self::Lstm(network), Trace::Sequence(trace)) => {
                network.backward(p, trace, dy, gradient)
            }
            _ => unreachable!("a trace is taken back by the encoder that made it"),
        }
    }
}

/// v [M, W], then the encoder.
#[derive(Debug, Clone, Copy)]
pub struct Reparametrized {
    /// Numbers of v.
    pub context: usize,
    /// The encoder.
    pub encoder: Encoder,
    /// a, the weight of the encoder's output.
    pub strength: f64,
}

impl Reparametrized {
    /// v' [M, W]: the context without its encoder.
    pub fn merged(&self, parameters: &[f32]) -> Vec<f32> {
        let (v, encoder) = parameters.split_at(self.context);
        if self.strength == 0.0 {
            return v.to_vec();
        }
        let v: Vec<f64> = v.iter().map(|v| f64::from(*v)).collect();
        let (y, _) = self.encoder.forward(encoder, &v);
        let pairs = v.iter().zip(y);
        pairs.map(|(v, y)| (v + self.strength * y) as f32).collect()
    }
}

impl Parametrization for Reparametrized {
    fn expand(&self, parameters: &[f32], _: &Batch) -> Expanded {
        Expanded {
            contexts: self.merged(parameters),
            weights: None,
        }
    }

    fn backward(&self, back: &ParamGradient<'_>) -> Vec<f32> {
        let (v, encoder) = back.parameters.split_at(self.context);
        let v: Vec<f64> = v.iter().map(|v| f64::from(*v)).collect();
        let mut gradient = vec![0.0; encoder.len()];
        let (_, trace) = self.encoder.forward(encoder, &v);
        let own = back.contexts.iter().map(|g| f64::from(*g));
        let dy: Vec<f64> = own.clone().map(|g| self.strength * g).collect();
        let dx = self.encoder.backward(encoder, &trace, &dy, &mut gradient);
        let context = own.zip(dx).map(|(g, dx)| (g + dx) as f32);
        context.chain(gradient.iter().map(|g| *g as f32)).collect()
    }

    fn groups(&self, count: usize) -> Vec<Group> {
        vec![
            contexts(self.context),
            Group {
                name: "encoder",
                len: count - self.context,
            },
        ]
    }
}
