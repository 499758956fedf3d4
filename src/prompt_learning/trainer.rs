//! The one loop behind every recipe that descends a gradient.

use std::ops::Range;

use super::examples::{Batch, Examples, batches};
use super::learning_rate::{fitting_rate, length, share_of_rate};
use super::method::Method;
use super::schedule::Schedule;
use super::values::Auto;
use crate::error::{Error, Kind, Result};
use crate::math::optimizer::Optimizer;
use crate::progress::{LocalBoxFuture, Progress};

/// The loss and its gradient on one batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Mean over the batch.
    pub loss: f64,
    /// Images of the batch whose largest logit was the right one.
    pub hits: usize,
    /// d loss / d parameters.
    pub gradient: Vec<f32>,
}

/// Parameters that share a learning rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    /// What they are, in the plural.
    pub name: &'static str,
    /// How many numbers.
    pub len: usize,
}

/// Something with parameters and a loss.
pub trait Learner {
    /// The loss of `parameters` on `batch` and its gradient.
    fn step<'a>(&'a mut self, parameters: &'a [f32], batch: &'a Batch) -> LocalBoxFuture<'a, Step>;

    /// Changes what a step by the last gradient has made of the parameters `before`, if the optimizer
    /// does not follow the gradient itself, as SGD does.
    fn correct(&self, _before: &[f32], _after: &mut [f32]) {}

    /// The groups of `count` parameters, in their order. By default there is one.
    fn groups(&self, count: usize) -> Vec<Group> {
        vec![Group {
            name: "parameters",
            len: count,
        }]
    }

    /// The automatic rate of group number `group` by the first `loss`. `fitted` is the rate that suits
    /// a loss; a group that descends only a part of it names that part.
    fn rate(&self, _group: usize, loss: f64, fitted: &dyn Fn(f64) -> f64) -> f64 {
        fitted(loss)
    }
}

/// How to descend.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// The optimizer.
    pub method: Method,
    /// The full learning rate. Auto: one for each [`Group`], by its parameters at the start, the first
    /// loss and its gradient, so that a full step of AdamW moves them by a tenth of their norm, or less
    /// if that step would take more than a fixed part of the loss. More than
    /// [`MEASURED_STEPS`](super::learning_rate::MEASURED_STEPS) steps are shorter, by the root of their
    /// number.
    pub lr: Auto<f64>,
    /// How the rate rises and falls.
    pub schedule: Schedule,
    /// Passes over the examples.
    pub epochs: usize,
    /// Images per step.
    pub batch: usize,
    /// Decides the order of the images and their crops.
    pub seed: u64,
    /// The longest gradient; a longer one is scaled down to it.
    pub clip: Option<f64>,
    /// Mean and standard deviation in epochs of the Gaussian that weighs the parameters of every
    /// epoch in the result (PromptSRC). `None`: the parameters after the last epoch.
    pub average: Option<(f64, f64)>,
}

/// The state of a running descent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrainingProgress {
    /// Steps done.
    pub done: usize,
    /// All steps.
    pub total: usize,
    /// The last step's loss.
    pub loss: f64,
    /// Share of the last step's images that were right.
    pub accuracy: f64,
}

/// Progress and cancellation hooks.
#[derive(Clone, Copy)]
pub struct Observer<'a> {
    /// Asked between steps whether to go on.
    pub progress: &'a dyn Progress,
    /// Called with the loss after every step.
    pub observe: &'a dyn Fn(&TrainingProgress),
}

/// What was learned.
#[derive(Debug, Clone, PartialEq)]
pub struct FitResult {
    /// The parameters.
    pub parameters: Vec<f32>,
    /// The loss of every step, before it.
    pub losses: Vec<f64>,
    /// The full learning rate of every group, by its name; empty if they were to be fitted and there
    /// was no step.
    pub rates: Vec<(&'static str, f64)>,
    /// The parameters at the end of every cycle of the rate; empty if it has no cycles.
    pub snapshots: Vec<Vec<f32>>,
}

/// A group on its way.
struct Part {
    name: &'static str,
    range: Range<usize>,
    optimizer: Box<dyn Optimizer>,
    rate: Option<f64>,
}

impl Part {
    fn all(learner: &dyn Learner, count: usize, settings: &Settings) -> Vec<Self> {
        let rate = match settings.lr {
            Auto::Auto => None,
            Auto::Set(lr) => Some(lr),
        };
        let mut end = 0;
        let groups = learner.groups(count).into_iter();
        groups
            .map(|Group { name, len }| {
                let start = end;
                end += len;
                Self {
                    name,
                    range: start..end,
                    optimizer: settings.method.start(len),
                    rate,
                }
            })
            .collect()
    }
}

/// Weights of epochs 1..=`epochs` under a Gaussian, summing to 1.
pub fn gaussian(epochs: usize, mean: f64, deviation: f64) -> Vec<f64> {
    let exponent = |e: usize| -0.5 * ((e as f64 - mean) / deviation).powi(2);
    let top = (1..=epochs).map(exponent).fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = (1..=epochs).map(|e| (exponent(e) - top).exp()).collect();
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|w| w / sum).collect()
}

/// Trains `learner` from `parameters` on.
///
/// # Errors
/// `engine/not-finite` if the loss or its gradient is NaN or infinite, what the observer returns, and
/// the learner's own errors.
pub async fn fit(
    learner: &mut dyn Learner,
    mut parameters: Vec<f32>,
    examples: &Examples,
    settings: &Settings,
    observer: Observer<'_>,
) -> Result<FitResult> {
    let mut parts = Part::all(learner, parameters.len(), settings);
    let per_epoch = examples.batches(settings.batch);
    let total = per_epoch * settings.epochs;
    let shares = settings
        .average
        .map(|(mean, deviation)| gaussian(settings.epochs, mean, deviation));
    let mut averaged = vec![0f64; shares.as_ref().map_or(0, |_| parameters.len())];
    let mut losses = Vec::with_capacity(total);
    let mut snapshots = Vec::new();
    let schedule = settings.schedule;
    for epoch in 0..settings.epochs {
        let order = batches(examples, settings.batch, settings.seed, epoch);
        for (number, picks) in order.iter().enumerate() {
            observer.progress.step("train", losses.len(), total).await?;
            let batch = Batch::gather(examples, picks);
            let mut step = learner.step(&parameters, &batch).await?;
            if !step.loss.is_finite() || step.gradient.iter().any(|g| !g.is_finite()) {
                return Err(Error::new(
                    Kind::NotFinite,
                    "The loss is no longer a number; choose a lower learning rate (lr).",
                ));
            }
            if let Some(longest) = settings.clip {
                shorten(&mut step.gradient, longest);
            }
            let before = parameters.clone();
            for (group, part) in parts.iter_mut().enumerate() {
                let own = &mut parameters[part.range.clone()];
                let gradient = &step.gradient[part.range.clone()];
                let full = *part.rate.get_or_insert_with(|| {
                    let fitted = |loss: f64| {
                        share_of_rate(total) * fitting_rate(settings.method, loss, own, gradient)
                    };
                    learner.rate(group, step.loss, &fitted)
                });
                let lr = schedule.rate(full, epoch, settings.epochs, number, order.len());
                part.optimizer.step(own, gradient, lr as f32);
            }
            if !matches!(settings.method, Method::Sgd { .. }) {
                learner.correct(&before, &mut parameters);
            }
            if schedule.closes(epoch, settings.epochs, number, order.len()) {
                snapshots.push(parameters.clone());
            }
            losses.push(step.loss);
            (observer.observe)(&TrainingProgress {
                done: losses.len(),
                total,
                loss: step.loss,
                accuracy: step.hits as f64 / batch.len() as f64,
            });
        }
        if let Some(shares) = &shares {
            for (sum, p) in averaged.iter_mut().zip(&parameters) {
                *sum += shares[epoch] * f64::from(*p);
            }
        }
    }
    observer.progress.step("train", total, total).await?;
    if shares.is_some() && settings.epochs > 0 {
        parameters = averaged.iter().map(|v| *v as f32).collect();
    }
    Ok(FitResult {
        parameters,
        losses,
        rates: parts
            .iter()
            .filter_map(|part| Some((part.name, part.rate?)))
            .collect(),
        snapshots,
    })
}

/// Scales `gradient` down to the length `longest` if it is longer.
fn shorten(gradient: &mut [f32], longest: f64) {
    let length = length(gradient);
    if length > longest {
        let factor = (longest / length) as f32;
        gradient.iter_mut().for_each(|g| *g *= factor);
    }
}
