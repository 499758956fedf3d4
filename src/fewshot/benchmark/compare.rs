//! Recipes side by side: every one on the same images, in accuracy on all names and from base to new.
//!
//! Base is the first half of the sorted class names, which is taught; new is the rest. Each half is
//! scored among its own names (CoCoOp, Zhou et al., 2022). The features of a data set are computed
//! once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;

use serde::Serialize;

use super::draws::Splits;
use super::sides::{BaseToNew, Run};
use crate::classifier::Classifier;
use crate::dataset::{DataSet, workers};
use crate::error::{Error, Kind, Result};
use crate::evaluate::Failure;
use crate::image::views::Corruption;
use crate::prompt_learning::job::Recipe;
use crate::prompt_learning::options::Options;

/// A recipe that takes part.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The recipe.
    pub recipe: &'static Recipe,
    /// What was set.
    pub options: Options,
    /// The most images that it is measured on, taken evenly from the classes; all where it is left
    /// out.
    pub limit: Option<usize>,
}

/// What is compared.
pub struct Benchmark<'a> {
    /// Who takes part.
    pub entries: &'a [Entry],
    /// Images per class, each number in turn.
    pub shots: &'a [usize],
    /// Draws of the images: the seeds from 0 on.
    pub seeds: u64,
    /// Views of every image to learn from.
    pub crops: usize,
    /// What is done to every image first.
    pub corruption: Option<Corruption>,
    /// The most images to measure on, taken evenly from the classes.
    pub limit: Option<usize>,
    /// The images to measure on: a part of those to learn from, and never the test split.
    pub validation: bool,
}

/// Accuracies of one prompt, or of the default template.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Scores {
    /// On all names.
    pub all: f64,
    /// On the first half of the names, among these.
    pub base: f64,
    /// On the rest, among these; taught on the first half only.
    pub new: f64,
    /// The harmonic mean of base and new.
    pub harmonic: f64,
}

impl Scores {
    /// The accuracies on all names, base and new.
    pub fn new([all, base, new]: [f64; 3]) -> Self {
        Self {
            all,
            base,
            new,
            harmonic: harmonic(base, new),
        }
    }
}

/// One recipe on one draw.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// The recipe.
    pub recipe: &'static str,
    /// Images per class.
    pub shots: usize,
    /// The draw.
    pub seed: u64,
    /// How good it is.
    pub scores: Scores,
    /// Numbers that were fitted on all names.
    pub trained_parameters: usize,
    /// Seconds for all names, on one of the threads that work side by side.
    pub seconds: f64,
}

/// The default template on the images of recipes that are measured on fewer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LimitedRun {
    /// The recipe.
    pub recipe: &'static str,
    /// Images measured on.
    pub n: usize,
    /// The default template on these.
    pub zero_shot: Scores,
}

/// Everything that was compared on one data set.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// The class names.
    pub names: Vec<String>,
    /// How many of them are base.
    pub base: usize,
    /// Images measured on.
    pub n: usize,
    /// The default template.
    pub zero_shot: Scores,
    /// Recipes that were measured on fewer images.
    pub fewer: Vec<LimitedRun>,
    /// Recipe by recipe.
    pub outcomes: Vec<Outcome>,
    /// Recipes that could not be done, and why.
    pub refused: Vec<(String, String)>,
    /// Images that could not be read.
    pub failures: Vec<Failure>,
}

/// 2 a b / (a + b), 0 where both are.
pub fn harmonic(a: f64, b: f64) -> f64 {
    if a + b > 0.0 {
        2.0 * a * b / (a + b)
    } else {
        0.0
    }
}

/// An entry with a number of shots and a seed.
type Task = (usize, usize, u64);

impl Benchmark<'_> {
    /// Compares on `data`, which has a train and a test split. `tell` gets a line now and then. The
    /// answer does not depend on the number of threads, but for the seconds in it.
    ///
    /// # Errors
    /// `data/unknown-split`, `data/empty`, and the device's errors. A recipe that refuses is reported
    /// in the result.
    pub fn run(
        &self,
        model: &Classifier,
        data: &DataSet,
        tell: &dyn Fn(&str),
    ) -> Result<Comparison> {
        let draws = Splits::read(self, model, data, tell)?;
        let whole = BaseToNew::new(&draws.test, &draws.names, draws.base);
        let own = |entry: &Entry| match entry.limit {
            Some(limit) if limit < draws.test.len() => {
                let test = draws.test.subset(&draws.evenly(limit))?;
                Ok(Some(BaseToNew::new(&test, &draws.names, draws.base)))
            }
            _ => Ok(None),
        };
        let own: Vec<Option<BaseToNew<'_>>> =
            self.entries.iter().map(own).collect::<Result<_>>()?;
        let mut fewer = Vec::new();
        for (entry, sides) in self.entries.iter().zip(&own) {
            if let Some(sides) = sides {
                fewer.push(LimitedRun {
                    recipe: entry.recipe.name,
                    n: sides.len(),
                    zero_shot: sides.zero_shot(model)?,
                });
            }
        }
        let work = |(at, shots, seed): Task| {
            let entry = &self.entries[at];
            let one = Run {
                model,
                recipe: entry.recipe,
                options: &entry.options,
                seed,
            };
            let (all, half) = draws.images(shots, seed)?;
            let sides = own[at].as_ref().unwrap_or(&whole);
            one.outcome(sides, &all, &half, shots)
        };
        let (mut outcomes, mut refused) = (Vec::new(), Vec::new());
        for ((at, ..), result) in self
            .tasks()
            .into_iter()
            .zip(self.side_by_side(model, &work, tell)?)
        {
            match result {
                Ok(outcome) => outcomes.push(outcome),
                Err(error) => {
                    let name = self.entries[at].recipe.name.to_owned();
                    refused.push((name, error.message().to_owned()));
                }
            }
        }
        Ok(Comparison {
            zero_shot: whole.zero_shot(model)?,
            base: draws.base,
            n: draws.test.len(),
            fewer,
            outcomes,
            refused,
            failures: draws.failures,
            names: draws.names.clone(),
        })
    }

    /// Everything to do, recipe by recipe.
    fn tasks(&self) -> Vec<Task> {
        let mut tasks = Vec::new();
        for at in 0..self.entries.len() {
            for shots in self.shots {
                tasks.extend((0..self.seeds).map(|seed| (at, *shots, seed)));
            }
        }
        tasks
    }

    /// Does all tasks on as many threads as the device allows; the results in the order of the tasks.
    fn side_by_side(
        &self,
        model: &Classifier,
        work: &(dyn Fn(Task) -> Result<Outcome> + Sync),
        tell: &dyn Fn(&str),
    ) -> Result<Vec<Result<Outcome>>> {
        let tasks = self.tasks();
        let mut results: Vec<Option<Result<Outcome>>> = tasks.iter().map(|_| None).collect();
        let mut left = vec![self.shots.len() * self.seeds as usize; self.entries.len()];
        let next = AtomicUsize::new(0);
        let (send, done) = channel();
        thread::scope(|scope| {
            for _ in 0..workers(model) {
                let (send, tasks, next) = (send.clone(), &tasks, &next);
                scope.spawn(move || {
                    loop {
                        let place = next.fetch_add(1, Ordering::Relaxed);
                        let Some(task) = tasks.get(place) else { return };
                        if send.send((place, work(*task))).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(send);
            for (place, result) in done {
                results[place] = Some(result);
                let at = tasks[place].0;
                left[at] -= 1;
                if left[at] == 0 {
                    tell(self.entries[at].recipe.name);
                }
            }
        });
        let missing = || Error::new(Kind::Internal, "A comparison was not finished.");
        let whole = results.into_iter().map(|result| result.ok_or_else(missing));
        whole.collect()
    }
}
