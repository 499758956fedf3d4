//! ATPrompt's search for attribute words. Every set of words has a prompt; all prompts train at once,
//! and the shares of the sets train on held-back images.
//!
//! By losses, sets of up to three words are weighed by the losses of their prompts. By logits, as the
//! authors search, sets of three to five words are weighed in one answer: the mean of their logits.

use std::ops::RangeInclusive;

use super::context_recipe::ContextRecipe;
use super::examples::{Batch, Examples};
use super::job::TrainingJob;
use super::losses::{self, CrossEntropy, LossInput};
use super::method::Method;
use super::parametrizations::ParamGradient;
use super::schedule::Schedule;
use super::text::TextLearner;
use super::trainer::{Group, Learner, Step, fit};
use super::values::words;
use crate::error::{Error, Kind, Result};
use crate::math::optimizer::{AdamW, Optimizer};
use crate::math::{UnitRows, dot, softmax};
use crate::progress::LocalBoxFuture;
use crate::rng::Rng;

/// The most words to choose from.
pub const MAX_POOL: usize = 5;

/// The learning rate of the shares by losses.
const RATE: f64 = 0.5;

/// The learning rate of the scores by logits and the first beta of their Adam, as published.
const LOGITS_RATE: f32 = 0.02;
const LOGITS_BETA: f32 = 0.5;

words! {
    /// How sets of attribute words are weighed.
    pub enum Weighing {
        /// By the losses of their prompts.
        Losses = "losses",
        /// By their shares in one answer.
        Logits = "logits",
    }
}

/// All sets of one to three words of `pool`, small ones first.
pub fn subsets(pool: &[String]) -> Vec<Vec<String>> {
    sets_of(1..=3, pool)
}

/// All sets of three to five words of `pool`, small ones first.
pub fn large_subsets(pool: &[String]) -> Vec<Vec<String>> {
    sets_of(3..=5, pool)
}

fn sets_of(sizes: RangeInclusive<u32>, pool: &[String]) -> Vec<Vec<String>> {
    let mut masks: Vec<u32> = (1..1u32 << pool.len().min(MAX_POOL))
        .filter(|mask| sizes.contains(&mask.count_ones()))
        .collect();
    masks.sort_by_key(|mask| (mask.count_ones(), *mask));
    masks
        .into_iter()
        .map(|mask| {
            let words = pool.iter().enumerate();
            words
                .filter(|(i, _)| mask >> i & 1 == 1)
                .map(|(_, word)| word.clone())
                .collect()
        })
        .collect()
}

/// All prompts as one learner: its loss is their mean under the shares softmax(a).
struct SharedTraining<'a> {
    learners: Vec<TextLearner<'a>>,
    /// The end of each learner's parameters in the list of all.
    ends: Vec<usize>,
    /// a, one score for each learner.
    scores: Vec<f64>,
    held_back: Batch,
}

impl SharedTraining<'_> {
    async fn run(&mut self, parameters: &[f32], batch: &Batch) -> Result<Step> {
        let shares = softmax(&self.scores, 1.0);
        let mut joint = Step {
            loss: 0.0,
            hits: 0,
            gradient: Vec::with_capacity(parameters.len()),
        };
        let mut losses = Vec::with_capacity(shares.len());
        let mut from = 0;
        for ((learner, end), share) in self.learners.iter_mut().zip(&self.ends).zip(&shares) {
            let own = &parameters[from..*end];
            let step = learner.step(own, batch).await?;
            losses.push(learner.loss(own, &self.held_back).await?);
            joint.loss += share * step.loss;
            joint.hits = joint.hits.max(step.hits);
            let weighted = step.gradient.iter().map(|g| *share as f32 * g);
            joint.gradient.extend(weighted);
            from = *end;
        }
        let mean: f64 = shares.iter().zip(&losses).map(|(s, l)| s * l).sum();
        for ((score, share), loss) in self.scores.iter_mut().zip(&shares).zip(&losses) {
            *score -= RATE * share * (loss - mean) * shares.len() as f64;
        }
        Ok(joint)
    }
}

impl Learner for SharedTraining<'_> {
    fn step<'a>(&'a mut self, parameters: &'a [f32], batch: &'a Batch) -> LocalBoxFuture<'a, Step> {
        Box::pin(self.run(parameters, batch))
    }

    fn groups(&self, _: usize) -> Vec<Group> {
        groups(&self.learners, &self.ends)
    }
}

fn groups(learners: &[TextLearner<'_>], ends: &[usize]) -> Vec<Group> {
    let mut from = 0;
    let learners = learners.iter().zip(ends);
    learners
        .flat_map(|(learner, end)| learner.groups(end - std::mem::replace(&mut from, *end)))
        .collect()
}

/// All prompts as one learner whose logits are the mean of theirs under the shares softmax(a): a step
/// of the prompts on a batch and one of the shares on the images held back, in turn.
struct MixedLogits<'a> {
    learners: Vec<TextLearner<'a>>,
    /// The end of each learner's parameters in the list of all.
    ends: Vec<usize>,
    /// a, one score for each learner.
    scores: Vec<f32>,
    optimizer: AdamW,
    held_back: Batch,
    /// Whether the prompts have taken a step.
    begun: bool,
}

impl MixedLogits<'_> {
    /// The texts of every prompt.
    async fn forward(&mut self, parameters: &[f32], batch: &Batch) -> Result<Vec<UnitRows>> {
        let mut units = Vec::with_capacity(self.learners.len());
        let mut from = 0;
        for (learner, end) in self.learners.iter_mut().zip(&self.ends) {
            let expanded = learner
                .parametrization
                .expand(&parameters[from..*end], batch);
            let features = learner.side.forward(&expanded.contexts).await?;
            units.push(UnitRows::new(&features, batch.dim));
            from = *end;
        }
        Ok(units)
    }

    fn mixed<'b>(&self, texts: &'b [f64], batch: &'b Batch) -> Result<LossInput<'b>> {
        let TextLearner { scale, classes, .. } = self.learners[0];
        let shares = self.shares().repeat(batch.len());
        LossInput::new(texts, classes, batch, scale, Some(shares))
    }

    fn shares(&self) -> Vec<f64> {
        let scores: Vec<f64> = self.scores.iter().map(|a| f64::from(*a)).collect();
        softmax(&scores, 1.0)
    }

    /// A step of the shares.
    fn weigh(&mut self, texts: &[f64]) -> Result<()> {
        let input = self.mixed(texts, &self.held_back)?;
        let by_image = losses::total(&input, &mut CrossEntropy)?.weights;
        let shares = self.shares();
        let slope = |i: usize| by_image.iter().skip(i).step_by(shares.len()).sum::<f64>();
        let slopes: Vec<f64> = (0..shares.len()).map(slope).collect();
        let mean = dot(&shares, &slopes);
        let pairs = shares.iter().zip(slopes);
        let gradient: Vec<f32> = pairs.map(|(s, g)| (s * (g - mean)) as f32).collect();
        self.optimizer
            .step(&mut self.scores, &gradient, LOGITS_RATE);
        Ok(())
    }

    async fn run(&mut self, parameters: &[f32], batch: &Batch) -> Result<Step> {
        let units = self.forward(parameters, batch).await?;
        let texts = joined(&units);
        if std::mem::replace(&mut self.begun, true) {
            self.weigh(&texts)?;
        }
        let input = self.mixed(&texts, batch)?;
        let loss = losses::total(&input, &mut CrossEntropy)?;
        let hits = input.hits();
        let mut gradient = Vec::with_capacity(parameters.len());
        let (mut from, mut rest) = (0, &loss.texts[..]);
        for ((learner, end), unit) in self.learners.iter_mut().zip(&self.ends).zip(&units) {
            let (own, others) = rest.split_at(unit.values.len());
            let features: Vec<f32> = unit.backward(own).iter().map(|g| *g as f32).collect();
            let contexts = learner.side.backward(&features).await?;
            gradient.extend(learner.parametrization.backward(&ParamGradient {
                parameters: &parameters[from..*end],
                batch,
                contexts: &contexts,
                weights: &[],
            }));
            (from, rest) = (*end, others);
        }
        Ok(Step {
            loss: loss.value,
            hits,
            gradient,
        })
    }
}

impl Learner for MixedLogits<'_> {
    fn step<'a>(&'a mut self, parameters: &'a [f32], batch: &'a Batch) -> LocalBoxFuture<'a, Step> {
        Box::pin(self.run(parameters, batch))
    }

    fn groups(&self, _: usize) -> Vec<Group> {
        groups(&self.learners, &self.ends)
    }
}

fn joined(units: &[UnitRows]) -> Vec<f64> {
    units
        .iter()
        .flat_map(|u| u.values.iter().copied())
        .collect()
}

/// Every second image of each class, and the rest; both are all images if no class has two.
fn halves(examples: &Examples) -> Result<(Examples, Examples)> {
    let mut seen = std::collections::BTreeMap::new();
    let (mut train, mut held) = (Vec::new(), Vec::new());
    for (i, label) in examples.labels().iter().enumerate() {
        let count: &mut usize = seen.entry(*label).or_default();
        if count.is_multiple_of(2) {
            train.push(i);
        } else {
            held.push(i);
        }
        *count += 1;
    }
    if held.is_empty() {
        held.clone_from(&train);
    }
    Ok((examples.subset(&train)?, examples.subset(&held)?))
}

/// The share of every candidate after `epochs`; they sum to 1.
///
/// # Errors
/// `options/invalid` without candidates, and those of [`fit`].
pub async fn search(
    job: &TrainingJob<'_>,
    candidates: Vec<ContextRecipe>,
    epochs: usize,
    weighing: Weighing,
) -> Result<Vec<f64>> {
    let Some(first) = candidates.first() else {
        return Err(Error::new(
            Kind::OptionInvalid,
            match weighing {
                Weighing::Losses => "There is no attribute to choose from.",
                Weighing::Logits => {
                    "The search by logits weighs sets of three to five words; give three words or more."
                }
            },
        ));
    };
    let mut settings = first.settings;
    settings.epochs = epochs;
    // The shares scale the gradients, and AdamW ignores scale.
    settings.method = Method::COOP;
    settings.schedule = Schedule::COOP;
    let (train, held) = halves(job.images()?)?;
    let picks: Vec<_> = (0..held.len()).map(|i| (i, 0)).collect();
    let held_back = Batch::gather(&held, &picks);
    let mut start = Vec::new();
    let mut ends = Vec::new();
    let mut learners = Vec::new();
    for candidate in candidates {
        let (learner, own) = candidate.learner(job)?;
        learners.push(learner);
        start.extend(own);
        ends.push(start.len());
    }
    let count = learners.len();
    if weighing == Weighing::Losses {
        let mut training = SharedTraining {
            scores: vec![0.0; count],
            learners,
            ends,
            held_back,
        };
        fit(&mut training, start, &train, &settings, job.observer).await?;
        return Ok(softmax(&training.scores, 1.0));
    }
    learners
        .iter_mut()
        .for_each(|learner| learner.side.share_tape(count));
    let mut rng = Rng::derive(job.seed, u64::MAX - 2);
    let mut optimizer = AdamW::new(count, 0.0);
    optimizer.betas.0 = LOGITS_BETA;
    let mut training = MixedLogits {
        scores: (0..count).map(|_| rng.uniform(0.0, 1.0) as f32).collect(),
        learners,
        ends,
        optimizer,
        held_back,
        begun: false,
    };
    let found = fit(&mut training, start, &train, &settings, job.observer).await?;
    let last = Batch::gather(&held, &picks[..1]);
    let units = training.forward(&found.parameters, &last).await?;
    training.weigh(&joined(&units))?;
    Ok(training.shares())
}
