//! Learning to score images by the order of their values, after the ranking-aware adapter (Yu et al.,
//! 2025).
//!
//! The loss is that of the authors: of all ordered pairs of a batch, whether the first has the larger
//! value; and ln(1 + smooth L1) between scores and values. The logit of a pair is the difference of
//! its scores, or what a network of its own makes of the difference of the features. That network
//! shares nothing with the one that scores where features are cached, so it teaches the score nothing:
//! theirs share a cross-modal block on the rows of the image tower.

use super::examples::Batch;
use super::job::Note;
use super::trainer::{Group, Learner, Step};
use crate::error::Result;
use crate::math::stack::{Layer, Stack};
use crate::math::{argmax, pair_accuracy, spearman};
use crate::progress::LocalBoxFuture;
use crate::prompt::heads::ranking::hidden_layers;

/// −ln of the probability that a pair with logit `z` is in order if it is `above`, and its slope.
pub fn pair_loss(z: f64, above: bool) -> (f64, f64) {
    let target = f64::from(u8::from(above));
    let p = 1.0 / (1.0 + (-z).exp());
    let softplus = z.max(0.0) + (-z.abs()).exp().ln_1p();
    (softplus - target * z, p - target)
}

/// The mean of [`pair_loss`] over all ordered pairs of `values` [N], each image with itself among
/// them, with logits `z` [N, N], and its gradient. Pairs of equal values are not in order.
pub fn rank_loss(z: &[f64], values: &[f64]) -> (f64, Vec<f64>) {
    let n = values.len();
    let share = 1.0 / (n * n) as f64;
    let mut value = 0.0;
    let pairs = z.iter().enumerate();
    let gradient = pairs
        .map(|(at, z)| {
            let (loss, slope) = pair_loss(*z, values[at / n] > values[at % n]);
            value += share * loss;
            share * slope
        })
        .collect();
    (value, gradient)
}

/// ln(1 + mean smooth L1) between `scores` and `values` [N], and its gradient.
pub fn value_loss(scores: &[f64], values: &[f64]) -> (f64, Vec<f64>) {
    let n = values.len() as f64;
    let mut mean = 0.0;
    let slopes: Vec<f64> = scores
        .iter()
        .zip(values)
        .map(|(score, value)| {
            let far = score - value;
            mean += if far.abs() < 1.0 {
                0.5 * far * far / n
            } else {
                (far.abs() - 0.5) / n
            };
            far.clamp(-1.0, 1.0) / n
        })
        .collect();
    let gradient = slopes.iter().map(|slope| slope / (1.0 + mean)).collect();
    (mean.ln_1p(), gradient)
}

/// The network from the difference of two features [d] to the logit of their pair: a norm, and three
/// hidden layers of `width` numbers.
pub fn pair_network(d: usize, width: usize) -> Stack {
    Stack([vec![Layer::Norm(d)], hidden_layers(d, width, 3)].concat())
}

/// A network that scores images, and maybe one that compares them.
#[derive(Debug)]
pub struct RankingLearner {
    /// From a feature to a score.
    pub score: Stack,
    /// From the difference of two features to the logit of their pair. `None`: it is the difference of
    /// their scores.
    pub pairs: Option<Stack>,
    /// The target of every class.
    pub values: Vec<f64>,
    /// The weight of [`value_loss`].
    pub regression: f64,
}

impl RankingLearner {
    /// The loss of `parameters` on `batch`, the images that are nearest to their value, and the gradient.
    pub fn descend<P: Copy + Into<f64>>(
        &self,
        parameters: &[P],
        batch: &Batch,
    ) -> (f64, usize, Vec<f64>) {
        let (own, others) = parameters.split_at(self.score.count());
        let n = batch.len();
        let values: Vec<f64> = batch.labels.iter().map(|y| self.values[*y]).collect();
        let traces: Vec<_> = batch
            .rows()
            .map(|image| self.score.forward(own, image))
            .collect();
        let scores: Vec<f64> = traces.iter().map(|trace| trace.output[0]).collect();
        let (value, mut slopes) = value_loss(&scores, &values);
        slopes.iter_mut().for_each(|g| *g *= self.regression);
        let mut gradient = vec![0.0; parameters.len()];
        let (score_gradient, pair_gradient) = gradient.split_at_mut(own.len());
        let ranked = if let Some(network) = &self.pairs {
            let share = 1.0 / (n * n) as f64;
            let mut sum = 0.0;
            for (a, first) in batch.rows().zip(&values) {
                for (b, second) in batch.rows().zip(&values) {
                    let trace = network.forward(others, &difference(a, b));
                    let (loss, slope) = pair_loss(trace.output[0], first > second);
                    sum += share * loss;
                    network.backward(others, &trace, &[share * slope], pair_gradient);
                }
            }
            sum
        } else {
            let z: Vec<f64> = scores
                .iter()
                .flat_map(|a| scores.iter().map(move |b| a - b))
                .collect();
            let (sum, dz) = rank_loss(&z, &values);
            for (at, dz) in dz.iter().enumerate() {
                slopes[at / n] += dz;
                slopes[at % n] -= dz;
            }
            sum
        };
        for (trace, slope) in traces.iter().zip(&slopes) {
            self.score.backward(own, trace, &[*slope], score_gradient);
        }
        let nearest = |score: f64| {
            let near: Vec<f64> = self.values.iter().map(|v| -(score - v).abs()).collect();
            argmax(&near)
        };
        let pairs = scores.iter().zip(&batch.labels);
        let hits = pairs
            .filter(|(score, label)| nearest(**score) == **label)
            .count();
        (ranked + self.regression * value, hits, gradient)
    }
}

fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

impl Learner for RankingLearner {
    fn step<'a>(&'a mut self, parameters: &'a [f32], batch: &'a Batch) -> LocalBoxFuture<'a, Step> {
        let (loss, hits, gradient) = self.descend(parameters, batch);
        let step: Result<Step> = Ok(Step {
            loss,
            hits,
            gradient: gradient.iter().map(|g| *g as f32).collect(),
        });
        Box::pin(std::future::ready(step))
    }

    fn groups(&self, count: usize) -> Vec<Group> {
        let scoring = self.score.count();
        let mut groups = vec![Group {
            name: "score network",
            len: scoring,
        }];
        if count > scoring {
            groups.push(Group {
                name: "pair network",
                len: count - scoring,
            });
        }
        groups
    }
}

/// The most photos whose pairs are counted.
const MAX_COUNTED: usize = 2000;

/// How well the scores of the photos keep the order of their values.
pub fn order_notes(scores: &[f64], values: &[f64]) -> Vec<Note> {
    let every = scores.len().div_ceil(MAX_COUNTED);
    let some = |all: &[f64]| all.iter().copied().step_by(every).collect::<Vec<_>>();
    let mut notes = vec![Note::new(
        "Spearman correlation on these photos",
        spearman(scores, values),
    )];
    let pairs = pair_accuracy(&some(scores), &some(values));
    notes.extend(pairs.map(|share| Note::new("pairs of these photos in order", share)));
    notes
}
