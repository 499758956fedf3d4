//! OGEN's generator (Zang et al., 2024): from the text of a class and the images of classes like it,
//! what an image of the class may look like.

use crate::math::UnitRows;
use crate::math::attention::{self, Attention};
use crate::math::perceptron::{self, Perceptron};
use crate::rng::Rng;

/// norm(network(q) + attention of q over k and v), over one flat list of parameters: the attention, then
/// the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Generator {
    attention: Attention,
    network: Perceptron,
}

/// The probability of dropping a share of the attention in training, as published.
const DROPOUT: f64 = 0.1;

/// Heads of the attention where they divide the width.
const HEADS: usize = 4;

/// A feature that was made, with what `backward` needs.
#[derive(Debug, Clone)]
pub struct Made {
    feature: UnitRows,
    attention: attention::Trace,
    network: perceptron::Trace,
}

impl Made {
    /// The unit feature [d].
    pub fn feature(&self) -> &[f64] {
        &self.feature.values
    }
}

impl Generator {
    /// For features of `d` columns.
    pub fn new(d: usize) -> Self {
        Self {
            attention: Attention {
                width: d,
                heads: if d.is_multiple_of(HEADS) { HEADS } else { 1 },
            },
            network: Perceptron {
                input: d,
                hidden: d,
                output: d,
            },
        }
    }

    /// Parameters in all.
    pub fn count(&self) -> usize {
        self.attention.count() + self.network.count()
    }

    /// The parameters at the start, as PyTorch's.
    pub fn start(&self, rng: &mut Rng) -> Vec<f32> {
        let mut all = self.attention.start(rng);
        all.extend(self.network.start(rng));
        all
    }

    /// What dropout makes of the shares of `keys` keys in training.
    pub fn dropout(&self, keys: usize, rng: &mut Rng) -> Vec<f64> {
        let kept = 1.0 / (1.0 - DROPOUT);
        (0..self.attention.heads * keys)
            .map(|_| if rng.chance(DROPOUT) { 0.0 } else { kept })
            .collect()
    }

    /// The feature for the text `query` [d] from images `values` of classes with texts `keys` [N, d].
    pub fn forward<P: Copy + Into<f64>>(
        &self,
        parameters: &[P],
        query: &[f64],
        keys: &[f64],
        values: &[f64],
        dropout: Option<Vec<f64>>,
    ) -> Made {
        let (own, others) = parameters.split_at(self.attention.count());
        let attention = self.attention.forward(own, query, keys, values, dropout);
        let network = self.network.forward(others, query);
        let pairs = attention.output.iter().zip(&network.output);
        let sum: Vec<f64> = pairs.map(|(a, b)| a + b).collect();
        Made {
            feature: UnitRows::new(&sum, query.len()),
            attention,
            network,
        }
    }

    /// Adds d loss / d parameters to `gradient` and returns d loss / d query, from d loss / d feature.
    /// Keys and values are constants.
    pub fn backward<P: Copy + Into<f64>>(
        &self,
        parameters: &[P],
        made: &Made,
        dy: &[f64],
        gradient: &mut [f64],
    ) -> Vec<f64> {
        let (own, others) = parameters.split_at(self.attention.count());
        let (to_own, to_others) = gradient.split_at_mut(own.len());
        let dy = made.feature.backward(dy);
        let mut dq = self.attention.backward(own, &made.attention, &dy, to_own);
        let more = self.network.backward(others, &made.network, &dy, to_others);
        dq.iter_mut().zip(more).for_each(|(sum, g)| *sum += g);
        dq
    }
}
