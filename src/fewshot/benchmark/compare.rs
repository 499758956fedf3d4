//! Runs every recipe on every draw, on as many threads as the device allows.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;

use super::base_to_new::BaseToNew;
use super::run::Run;
use super::splits::Splits;
use super::types::{Benchmark, Comparison, LimitedRun, Outcome};
use crate::dataset::{DataSet, workers};
use crate::error::{Error, Kind, Result};
use crate::model::Model;

/// An entry with a number of shots and a seed.
type Task = (usize, usize, u64);

impl Benchmark<'_> {
    /// Compares on `data`, which has a train and a test split. `tell` gets a line now and then. The
    /// answer does not depend on the number of threads, but for the seconds in it.
    ///
    /// # Errors
    /// `data/unknown-split`, `data/empty`, and the device's errors. A recipe that refuses is reported
    /// in the result.
    pub fn run(&self, model: &Model, data: &DataSet, tell: &dyn Fn(&str)) -> Result<Comparison> {
        let splits = Splits::read(self, model, data, tell)?;
        let whole = BaseToNew::new(&splits.test, &splits.names, splits.base);
        let limited = self.limited(&splits)?;
        let mut limited_runs = Vec::new();
        for (entry, test) in self.entries.iter().zip(&limited) {
            if let Some(test) = test {
                limited_runs.push(LimitedRun {
                    recipe: entry.recipe.info.name,
                    n: test.len(),
                    zero_shot: test.zero_shot(model)?,
                });
            }
        }
        let work = |(at, shots, seed): Task| {
            let entry = &self.entries[at];
            let run = Run {
                model,
                recipe: &entry.recipe,
                seed,
            };
            let (all, base) = splits.images(shots, seed)?;
            let test = limited[at].as_ref().unwrap_or(&whole);
            run.outcome(test, (&all, &base), shots)
        };
        let (mut outcomes, mut refused) = (Vec::new(), Vec::new());
        let results = self.side_by_side(model, &work, tell)?;
        for ((at, ..), result) in self.tasks().into_iter().zip(results) {
            match result {
                Ok(outcome) => outcomes.push(outcome),
                Err(error) => {
                    let name = self.entries[at].recipe.info.name.to_owned();
                    refused.push((name, error.message().to_owned()));
                }
            }
        }
        Ok(Comparison {
            zero_shot: whole.zero_shot(model)?,
            base: splits.base,
            n: splits.test.len(),
            limited: limited_runs,
            outcomes,
            refused,
            failures: splits.failures,
            names: splits.names.clone(),
        })
    }

    /// The images of each entry that is measured on fewer than all.
    fn limited<'s>(&self, splits: &'s Splits) -> Result<Vec<Option<BaseToNew<'s>>>> {
        let entries = self.entries.iter();
        let limited = entries.map(|entry| match entry.limit {
            Some(limit) if limit < splits.test.len() => {
                let test = splits.test.subset(&splits.evenly(limit))?;
                Ok(Some(BaseToNew::new(&test, &splits.names, splits.base)))
            }
            _ => Ok(None),
        });
        limited.collect()
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
        model: &Model,
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
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let Some(task) = tasks.get(index) else { return };
                        if send.send((index, work(*task))).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(send);
            for (index, result) in done {
                results[index] = Some(result);
                let at = tasks[index].0;
                left[at] -= 1;
                if left[at] == 0 {
                    tell(self.entries[at].recipe.info.name);
                }
            }
        });
        let missing = || Error::new(Kind::Internal, "A comparison was not finished.");
        let whole = results.into_iter().map(|result| result.ok_or_else(missing));
        whole.collect()
    }
}
