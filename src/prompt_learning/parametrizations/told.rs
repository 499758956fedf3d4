//! A context for each class that ends with a row made of what is known about the class (after the idea
//! of KAPT, Kan et al., 2023).

use super::{Expanded, ParamGradient, Parametrization, contexts};
use crate::math::perceptron::Perceptron;
use crate::prompt_learning::examples::Batch;
use crate::prompt_learning::trainer::Group;

/// Parameters: v [M, W], then those of a network from what is known to a row. The context of class k is
/// `[v_1 .. v_M][network(e_k)]`.
#[derive(Debug, Clone)]
pub struct Told {
    /// M·W.
    pub shared: usize,
    /// From d to W.
    pub network: Perceptron,
    /// e [K, d]: a unit feature of a description of each class.
    pub known: Vec<f64>,
}

impl Told {
    fn rows(&self) -> std::slice::ChunksExact<'_, f64> {
        self.known.chunks_exact(self.network.input)
    }
}

impl Parametrization for Told {
    fn expand(&self, parameters: &[f32], _: &Batch) -> Expanded {
        let (v, network) = parameters.split_at(self.shared);
        let mut contexts = Vec::new();
        for known in self.rows() {
            contexts.extend_from_slice(v);
            let row = self.network.forward(network, known).output;
            contexts.extend(row.iter().map(|x| *x as f32));
        }
        Expanded {
            contexts,
            weights: None,
        }
    }

    fn backward(&self, back: &ParamGradient<'_>) -> Vec<f32> {
        let network = &back.parameters[self.shared..];
        let mut v = vec![0f64; self.shared];
        let mut gradient = vec![0.0; network.len()];
        let each = self.shared + self.network.output;
        for (known, g) in self.rows().zip(back.contexts.chunks_exact(each)) {
            let (shared, row) = g.split_at(self.shared);
            v.iter_mut()
                .zip(shared)
                .for_each(|(v, g)| *v += f64::from(*g));
            let row: Vec<f64> = row.iter().map(|g| f64::from(*g)).collect();
            let trace = self.network.forward(network, known);
            self.network.backward(network, &trace, &row, &mut gradient);
        }
        v.iter().chain(&gradient).map(|g| *g as f32).collect()
    }

    fn groups(&self, count: usize) -> Vec<Group> {
        vec![
            contexts(self.shared),
            Group {
                name: "network",
                len: count - self.shared,
            },
        ]
    }
}
