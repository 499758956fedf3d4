//! Photos that show several of the classes, or none: a probability for each class by itself.

use std::collections::BTreeMap;

use super::examples::{Batch, Examples};
use super::losses::{Gradient, Loss, LossInput, total};
use super::trainer::{Group, Learner, Step};
use crate::error::Result;
use crate::math::{UnitRows, argmax, sigmoid};
use crate::progress::LocalBoxFuture;
use crate::prompt::model::TextSide;

/// Which classes each image shows, [N, K] of 0 and 1: its own label, and those of the same photo under
/// other labels.
pub fn targets(examples: &Examples, classes: usize) -> Vec<f64> {
    let mut same: BTreeMap<Vec<u32>, Vec<usize>> = BTreeMap::new();
    let key = |i: usize| -> Vec<u32> { examples.view(i, 0).iter().map(|v| v.to_bits()).collect() };
    for i in 0..examples.len() {
        same.entry(key(i)).or_default().push(i);
    }
    let mut out = vec![0.0; examples.len() * classes];
    for photos in same.values() {
        for i in photos {
            for j in photos {
                out[i * classes + examples.labels()[*j]] = 1.0;
            }
        }
    }
    out
}

/// The binary cross-entropy of σ(z + b) on every class, mean over B·K. Classes that are not `own`, those
/// of other tasks, count as logit 0 and target 0, as in MULTI-LANE (De Min et al., 2024): ln 2 each, without
/// a gradient.
#[derive(Debug, Clone)]
pub struct BinaryCrossEntropy {
    /// Which classes each image of the examples shows, [N, K].
    pub targets: Vec<f64>,
    /// Which classes are of this task, [K].
    pub own: Vec<bool>,
    /// b [K].
    pub bias: Vec<f64>,
    /// d loss / d b [K] of the last step.
    pub bias_gradient: Vec<f64>,
}

impl BinaryCrossEntropy {
    /// The value and d loss / d (z + b) [B, K] of z + b for `targets` [B, K].
    pub fn on(&self, logits: &[f64], targets: &[f64]) -> (f64, Vec<f64>) {
        let share = 1.0 / logits.len() as f64;
        let own = self.own.iter().cycle();
        let mut value = 0.0;
        let slopes = logits.iter().zip(targets).zip(own).map(|((z, y), own)| {
            if !own {
                value += share * std::f64::consts::LN_2;
                return 0.0;
            }
            // ln(1 + e^z) − y z, without overflow.
            value += share * (z.max(0.0) - y * z + (-z.abs()).exp().ln_1p());
            share * (sigmoid(*z) - y)
        });
        let slopes = slopes.collect();
        (value, slopes)
    }
}

impl Loss for BinaryCrossEntropy {
    fn add(&mut self, input: &LossInput<'_>, gradient: &mut Gradient) -> Result<f64> {
        let k = input.classes;
        let biased = input.logits.iter().zip(self.bias.iter().cycle());
        let logits: Vec<f64> = biased.map(|(z, b)| z + b).collect();
        let places = input.batch.places.iter();
        let targets: Vec<f64> = places
            .flat_map(|place| &self.targets[place * k..(place + 1) * k])
            .copied()
            .collect();
        let (value, slopes) = self.on(&logits, &targets);
        self.bias_gradient = vec![0.0; k];
        for row in slopes.chunks_exact(k) {
            let sums = self.bias_gradient.iter_mut().zip(row);
            sums.for_each(|(sum, slope)| *sum += slope);
        }
        let sums = gradient.logits.iter_mut().zip(&slopes);
        sums.for_each(|(sum, slope)| *sum += slope);
        Ok(value)
    }
}

/// Learns a context [M, W] for all classes of a task and their biases [K], in this order.
pub struct SeveralLabels<'a> {
    /// The tower over all K names.
    pub side: Box<dyn TextSide + 'a>,
    /// The loss.
    pub loss: BinaryCrossEntropy,
    /// exp(logit_scale): multiplies cosines.
    pub scale: f64,
}

impl SeveralLabels<'_> {
    async fn descend(&mut self, parameters: &[f32], batch: &Batch) -> Result<Step> {
        let k = self.loss.own.len();
        let (context, bias) = parameters.split_at(parameters.len() - k);
        self.loss.bias = bias.iter().map(|b| f64::from(*b)).collect();
        let unit = UnitRows::new(&self.side.forward(context).await?, batch.dim);
        let input = LossInput::new(&unit.values, k, batch, self.scale, None)?;
        let found = total(&input, &mut self.loss)?;
        let texts: Vec<f32> = unit
            .backward(&found.texts)
            .iter()
            .map(|g| *g as f32)
            .collect();
        let mut gradient = self.side.backward(&texts).await?;
        gradient.extend(self.loss.bias_gradient.iter().map(|g| *g as f32));
        Ok(Step {
            loss: found.value,
            hits: self.hits(&input),
            gradient,
        })
    }

    /// Images whose most probable class of this task is one that they show.
    fn hits(&self, input: &LossInput<'_>) -> usize {
        let k = input.classes;
        let rows = input.logits.chunks_exact(k).zip(&input.batch.places);
        rows.filter(|(z, place)| {
            let biased = z.iter().zip(&self.loss.bias).zip(&self.loss.own);
            let own: Vec<f64> = biased
                .map(|((z, b), own)| if *own { z + b } else { f64::NEG_INFINITY })
                .collect();
            self.loss.targets[*place * k + argmax(&own)] > 0.0
        })
        .count()
    }
}

impl Learner for SeveralLabels<'_> {
    fn step<'a>(&'a mut self, parameters: &'a [f32], batch: &'a Batch) -> LocalBoxFuture<'a, Step> {
        Box::pin(self.descend(parameters, batch))
    }

    fn groups(&self, count: usize) -> Vec<Group> {
        let classes = self.loss.own.len();
        let group = |name, len| Group { name, len };
        vec![group("contexts", count - classes), group("biases", classes)]
    }
}
