//! A score per photo for classes that are numbers or stand in an order, as the ranking-aware adapter of
//! Yu et al., 2025, gives it: a small network on the feature of the image.

use std::sync::Arc;

use super::texts::{FEATURES, TextFeatures};
use super::{Head, Kind, Weights, invalid};
use crate::error::{Error, Kind as ErrorKind, Result};
use crate::math::stack::{Layer, Stack};
use crate::progress::LocalBoxFuture;
use crate::prompt::file::Prompt;
use crate::prompt::model::PromptModel;
use crate::tokenize::NameIndex;

const OFFSET: &str = "offset";
const SLOPE: &str = "slope";
const SPREAD: &str = "spread";

/// The kind.
pub const KIND: Kind = Kind {
    name: "ranking",
    required: &[
        FEATURES,
        "score.0.weight",
        "score.0.bias",
        "score.1.weight",
        HIDDEN,
        "score.2.weight",
        "score.2.bias",
        "score.4.weight",
        "score.4.bias",
        "score.5.weight",
        "score.5.bias",
        "score.7.weight",
        "score.7.bias",
    ],
    optional: &[],
    load: |file| Ok(Box::new(Ranking::load(file)?)),
};

/// The tensor whose length is the number of hidden numbers.
const HIDDEN: &str = "score.1.bias";

/// The network from a feature [d] to a score: a norm, two hidden layers of `width` numbers with a norm
/// and a relu each, and a line.
pub fn score_network(d: usize, width: usize) -> Stack {
    let mut layers = vec![Layer::Norm(d)];
    layers.extend(hidden_layers(d, width, 2));
    Stack(layers)
}

/// `count` hidden layers of `width` numbers with a norm and a relu each, then a line to one number.
pub fn hidden_layers(d: usize, width: usize, count: usize) -> Vec<Layer> {
    let mut layers = Vec::new();
    for i in 0..count {
        layers.push(Layer::Linear {
            input: if i == 0 { d } else { width },
            output: width,
        });
        layers.push(Layer::Norm(width));
        layers.push(Layer::Relu);
    }
    layers.push(Layer::Linear {
        input: width,
        output: 1,
    });
    layers
}

/// The number that `name` is, as in "3", "-1" and "2.5".
fn number(name: &str) -> Option<f64> {
    let number = name.trim().parse::<f64>().ok();
    number.filter(|value| value.is_finite())
}

/// The value of every class: the number that its name is, if all names are numbers; else its place in
/// the list, from 1.
pub fn class_values(names: &[String]) -> Vec<f64> {
    let numbers: Option<Vec<f64>> = names.iter().map(|name| number(name)).collect();
    numbers.unwrap_or_else(|| (1..=names.len()).map(|place| place as f64).collect())
}

/// A network that scores images, for classes with values.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranking {
    /// Of the classes, for the scores of "none of these".
    pub texts: TextFeatures,
    /// Numbers of a hidden layer.
    pub width: usize,
    /// The parameters of [`score_network`].
    pub network: Vec<f32>,
    /// From what the network gives to scores.
    pub line: Line,
}

/// Scores in the units of the values: `offset` + `slope` r, with r what the network gives.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line {
    /// The score where r is 0.
    pub offset: f64,
    /// How much a unit of r is; above 0, so that the order stays.
    pub slope: f64,
    /// How far scores are from the values of their classes, as a standard deviation.
    pub spread: f64,
}

impl Line {
    /// The line with the least squares between `scores` and the `values` of their images, of which two
    /// differ. The spread is at least half the smallest difference between the values of `classes`: a
    /// network that knows its photos by heart says nothing of others.
    pub fn through(scores: &[f64], values: &[f64], classes: &[f64]) -> Self {
        let (mean, deviation) = moments(scores);
        let (middle, wide) = moments(values);
        let pairs = scores.iter().zip(values);
        let together =
            pairs.map(|(r, y)| (r - mean) * (y - middle)).sum::<f64>() / scores.len() as f64;
        let slope =
            Some(together / deviation.powi(2)).filter(|slope| slope.is_finite() && *slope > 0.0);
        // Scores in no order or in the wrong one keep their own.
        let slope = slope.unwrap_or(wide);
        let offset = middle - slope * mean;
        let squares = scores
            .iter()
            .zip(values)
            .map(|(r, y)| (offset + slope * r - y).powi(2));
        let error = (squares.sum::<f64>() / scores.len() as f64).sqrt();
        let mut sorted = classes.to_vec();
        sorted.sort_by(f64::total_cmp);
        let gaps = sorted.windows(2).map(|two| two[1] - two[0]);
        let gap = gaps.filter(|gap| *gap > 0.0).fold(f64::INFINITY, f64::min);
        Self {
            offset,
            slope,
            spread: error.max(0.5 * gap),
        }
    }
}

/// The mean and the standard deviation of `values`.
pub fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares = values.iter().map(|v| (v - mean).powi(2));
    (mean, (squares.sum::<f64>() / n).sqrt())
}

impl Ranking {
    fn load(file: &Prompt) -> Result<Self> {
        let texts = TextFeatures::load(file)?;
        let d = texts.features.len() / file.class_names.len().max(1);
        let width = file.get(HIDDEN, 1)?.map_or(0, |bias| bias.data.len());
        let mut network = Vec::new();
        for (name, shape) in score_network(d, width).tensors() {
            let found = file.shaped(&format!("score.{name}"), &shape)?;
            network.extend(found.ok_or_else(|| invalid("its network lacks a layer"))?);
        }
        let (slope, spread) = (file.number(SLOPE)?, file.number(SPREAD)?);
        if slope <= 0.0 || spread <= 0.0 {
            return Err(invalid(
                "the slope and the spread of its scores are not above 0",
            ));
        }
        Ok(Self {
            texts,
            width,
            network,
            line: Line {
                offset: file.number(OFFSET)?,
                slope,
                spread,
            },
        })
    }
}

impl Weights for Ranking {
    fn save(&self, file: &mut Prompt) {
        self.texts.put(file);
        let d = self.texts.features.len() / file.class_names.len().max(1);
        let mut rest = &self.network[..];
        for (name, shape) in score_network(d, self.width).tensors() {
            let (own, others) = rest.split_at(shape.iter().product());
            file.put(&format!("score.{name}"), &shape, own.to_vec());
            rest = others;
        }
        file.note(OFFSET, self.line.offset);
        file.note(SLOPE, self.line.slope);
        file.note(SPREAD, self.line.spread);
    }

    fn open<'a>(
        &'a self,
        known: &'a [String],
        model: &'a dyn PromptModel,
        names: &'a [String],
    ) -> LocalBoxFuture<'a, Arc<dyn Head>> {
        Box::pin(async move {
            let values = values_on(known, names)?;
            Ok(Arc::new(RankingHead {
                texts: self.texts.on(known, model, names).await?,
                stack: score_network(model.dim(), self.width),
                weights: self.clone(),
                values,
            }) as Arc<dyn Head>)
        })
    }
}

/// The values of `names` where those of `known` are known; a new name has one if all are numbers.
fn values_on(known: &[String], names: &[String]) -> Result<Vec<f64>> {
    let values = class_values(known);
    let numbers = known.iter().all(|name| number(name).is_some());
    let index = NameIndex::new(known);
    let value = |name: &String| match (index.place(name), number(name)) {
        (Some(place), _) => Ok(values[place]),
        (None, Some(value)) if numbers => Ok(value),
        _ => Err(Error::new(
            ErrorKind::OptionInvalid,
            format!(
                "This prompt scores photos, and {name:?} has no value: it is none of the classes that were taught, {}. Use their names, or teach again.",
                if numbers {
                    "and no number"
                } else {
                    "which stand in an order"
                },
            ),
        )),
    };
    names.iter().map(value).collect()
}

/// A score in use.
#[derive(Debug)]
struct RankingHead {
    texts: Vec<f64>,
    stack: Stack,
    weights: Ranking,
    /// Of every class.
    values: Vec<f64>,
}

impl RankingHead {
    fn scored(&self, image: &[f64]) -> f64 {
        let found = self.stack.forward(&self.weights.network, image);
        self.weights.line.offset + self.weights.line.slope * found.output[0]
    }
}

impl Head for RankingHead {
    /// The logarithm of a normal density around the score at the value of each class, up to a constant.
    fn answer<'a>(
        &'a self,
        _: &'a dyn PromptModel,
        image: &'a [f64],
    ) -> LocalBoxFuture<'a, Vec<f64>> {
        let score = self.scored(image);
        let far = |value: &f64| (score - value) / self.weights.line.spread;
        let logits = self.values.iter().map(|value| -0.5 * far(value).powi(2));
        Box::pin(std::future::ready(Ok(logits.collect())))
    }

    fn centers<'a>(&'a self, _: &'a dyn PromptModel) -> LocalBoxFuture<'a, Vec<f64>> {
        Box::pin(std::future::ready(Ok(self.texts.clone())))
    }

    fn score(&self, image: &[f64]) -> Option<f64> {
        Some(self.scored(image))
    }
}
