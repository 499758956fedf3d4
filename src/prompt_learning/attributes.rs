//! ATPrompt's search for attribute words. Every set of up to three words has a prompt; all prompts
//! train at once, each scaled by its set's share, and the shares train on held-back images.

use super::context_recipe::ContextRecipe;
use super::examples::Batch;
use super::job::TrainingJob;
use super::method::Method;
use super::schedule::Schedule;
use super::text::TextLearner;
use super::trainer::{Group, Learner, Step, fit};
use crate::error::{Error, Kind, Result};
use crate::math::softmax;
use crate::progress::LocalBoxFuture;
use crate::prompt_learning::examples::Examples;

/// The most words to choose from.
pub const MAX_POOL: usize = 5;

/// The most words in a set.
const MAX_SET: u32 = 3;

/// The learning rate of the shares.
const RATE: f64 = 0.5;

/// All sets of one to three words of `pool`, small ones first.
pub fn subsets(pool: &[String]) -> Vec<Vec<String>> {
    let mut masks: Vec<u32> = (1..1u32 << pool.len().min(MAX_POOL))
        .filter(|mask| mask.count_ones() <= MAX_SET)
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
        let mut from = 0;
        let learners = self.learners.iter().zip(&self.ends);
        learners
            .flat_map(|(learner, end)| learner.groups(end - std::mem::replace(&mut from, *end)))
            .collect()
    }
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
) -> Result<Vec<f64>> {
    let Some(first) = candidates.first() else {
        return Err(Error::new(
            Kind::OptionInvalid,
            "There is no attribute to choose from.",
        ));
    };
    let mut settings = first.settings;
    settings.epochs = epochs;
    // The shares scale the gradients, and AdamW ignores scale.
    settings.method = Method::COOP;
    settings.schedule = Schedule::COOP;
    let (train, held) = halves(job.images()?)?;
    let picks: Vec<_> = (0..held.len()).map(|i| (i, 0)).collect();
    let mut start = Vec::new();
    let mut ends = Vec::new();
    let mut learners = Vec::new();
    for candidate in candidates {
        let (learner, own) = candidate.learner(job)?;
        learners.push(learner);
        start.extend(own);
        ends.push(start.len());
    }
    let mut training = SharedTraining {
        scores: vec![0.0; learners.len()],
        learners,
        ends,
        held_back: Batch::gather(&held, &picks),
    };
    fit(&mut training, start, &train, &settings, job.observer).await?;
    Ok(softmax(&training.scores, 1.0))
}
