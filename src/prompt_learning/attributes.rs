//! Which attribute words help? A search over all sets of up to three words: prompts of all sets
//! learn side by side, and a share for each set learns from images held back (ATPrompt).

use super::examples::Batch;
use super::job::TrainingJob;
use super::plan::ContextRecipe;
use super::schedule::Schedule;
use super::text::TextLearner;
use super::trainer::{Learner, Method, Step, fit};
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

/// Prompts side by side: the loss is their mean under the shares softmax(a).
struct Race<'a> {
    runners: Vec<TextLearner<'a>>,
    /// Where each one's parameters end.
    ends: Vec<usize>,
    scores: Vec<f64>,
    held_back: Batch,
}

impl Race<'_> {
    async fn run(&mut self, parameters: &[f32], batch: &Batch) -> Result<Step> {
        let shares = softmax(&self.scores, 1.0);
        let mut whole = Step {
            loss: 0.0,
            hits: 0,
            gradient: Vec::with_capacity(parameters.len()),
        };
        let mut losses = Vec::with_capacity(shares.len());
        let mut from = 0;
        for ((runner, end), share) in self.runners.iter_mut().zip(&self.ends).zip(&shares) {
            let own = &parameters[from..*end];
            let step = runner.step(own, batch).await?;
            losses.push(runner.loss(own, &self.held_back).await?);
            whole.loss += share * step.loss;
            whole.hits = whole.hits.max(step.hits);
            let weighted = step.gradient.iter().map(|g| *share as f32 * g);
            whole.gradient.extend(weighted);
            from = *end;
        }
        let mean: f64 = shares.iter().zip(&losses).map(|(s, l)| s * l).sum();
        for ((score, share), loss) in self.scores.iter_mut().zip(&shares).zip(&losses) {
            *score -= RATE * share * (loss - mean) * shares.len() as f64;
        }
        Ok(whole)
    }
}

impl Learner for Race<'_> {
    fn step<'a>(&'a mut self, parameters: &'a [f32], batch: &'a Batch) -> LocalBoxFuture<'a, Step> {
        Box::pin(self.run(parameters, batch))
    }
}

/// Every second image of each class, and the others; all of both where a class has one only.
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

/// The share of every plan after `epochs`; they sum to 1.
///
/// # Errors
/// `options/invalid` without plans, and those of [`fit`].
pub async fn search(
    job: &TrainingJob<'_>,
    plans: Vec<ContextRecipe>,
    epochs: usize,
) -> Result<Vec<f64>> {
    let Some(first) = plans.first() else {
        return Err(Error::new(
            Kind::OptionInvalid,
            "There is no attribute to choose from.",
        ));
    };
    let mut settings = first.settings;
    settings.epochs = epochs;
    // The shares weigh the gradients, which AdamW would take no notice of.
    settings.method = Method::COOP;
    settings.schedule = Schedule::coop(settings.schedule.lr);
    let (train, held) = halves(job.images()?)?;
    let picks: Vec<_> = (0..held.len()).map(|i| (i, 0)).collect();
    let mut start = Vec::new();
    let mut ends = Vec::new();
    let mut runners = Vec::new();
    for plan in plans {
        let (runner, own) = plan.learner(job)?;
        runners.push(runner);
        start.extend(own);
        ends.push(start.len());
    }
    let mut race = Race {
        scores: vec![0.0; runners.len()],
        runners,
        ends,
        held_back: Batch::gather(&held, &picks),
    };
    fit(&mut race, start, &train, &settings, job.observer).await?;
    Ok(softmax(&race.scores, 1.0))
}
