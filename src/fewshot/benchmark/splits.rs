//! The images of a comparison: several draws to learn from, and those to measure on.

use super::compare::Benchmark;
use super::photos::{Source, chosen, examples};
use crate::classifier::Classifier;
use crate::dataset::{DataSet, Item};
use crate::error::{Error, Kind, Result};
use crate::evaluate::{Failure, class_names, evenly};
use crate::prompt_learning::examples::{Examples, sample_shots};

/// Images per class that are held back for validation.
const VALIDATION: usize = 60;

/// Features of every image that a comparison looks at.
pub struct Splits {
    /// The class names, sorted.
    pub names: Vec<String>,
    /// How many of them are base.
    pub base: usize,
    /// The images to measure on.
    pub test: Examples,
    /// Images to measure on that could not be read.
    pub failures: Vec<Failure>,
    /// The classes of all images of the split to learn from.
    labels: Vec<usize>,
    /// Those of them that are in any draw, ascending.
    union: Vec<usize>,
    /// Their features.
    pool: Examples,
}

impl Splits {
    /// Encodes what `contest` asks for.
    ///
    /// # Errors
    /// `data/unknown-split`, `data/empty`; `data/invalid` where an image to learn from cannot be read;
    /// the device's errors.
    pub fn read(
        contest: &Benchmark<'_>,
        model: &Classifier,
        data: &DataSet,
        tell: &dyn Fn(&str),
    ) -> Result<Self> {
        let source = Source {
            crops: contest.crops,
            corruption: contest.corruption,
            ..Source::training(data)
        };
        let names = class_names(data, source.split.as_deref())?;
        if names.len() < 2 {
            return Err(Error::new(
                Kind::DataEmpty,
                "A comparison needs at least two classes.",
            ));
        }
        let (items, _) = chosen(data, &names, &source)?;
        let labels: Vec<usize> = items.iter().map(|(_, label)| *label).collect();
        let most = contest.shots.iter().copied().max().unwrap_or(1);
        let draws = (0..contest.seeds).flat_map(|seed| sample_shots(&labels, most, seed));
        let mut union: Vec<usize> = draws.collect();
        union.sort_unstable();
        union.dedup();
        let picked: Vec<(&Item, usize)> = union.iter().map(|i| items[*i]).collect();
        tell(&format!("{} images to learn from", picked.len()));
        let pool = examples(model, data, &picked, names.len(), &source, &|_, _| {})?;
        if let Some(first) = pool.failures.first() {
            return Err(Error::new(
                Kind::DataInvalid,
                format!("{}: {}", first.file, first.message),
            ));
        }
        let measuring = Source {
            crops: 1,
            split: None,
            limit: contest.limit,
            ..source
        };
        let tested = if contest.validation {
            let mut left: Vec<usize> = (0..items.len()).collect();
            left.retain(|i| union.binary_search(i).is_err());
            let own: Vec<usize> = left.iter().map(|i| labels[*i]).collect();
            let held = sample_shots(&own, VALIDATION, u64::MAX).into_iter();
            held.map(|i| items[left[i]]).collect()
        } else {
            chosen(data, &names, &measuring)?.0
        };
        tell(&format!("{} images to measure on", tested.len()));
        let test = examples(model, data, &tested, names.len(), &measuring, &|_, _| {})?;
        Ok(Self {
            base: names.len().div_ceil(2),
            names,
            test: test.examples,
            failures: test.failures,
            labels,
            union,
            pool: pool.examples,
        })
    }

    /// The images that draw number `seed` learns from: `shots` of every class, and of the base
    /// classes alone.
    ///
    /// # Errors
    /// `data/empty`.
    pub fn images(&self, shots: usize, seed: u64) -> Result<(Examples, Examples)> {
        let drawn = sample_shots(&self.labels, shots, seed).into_iter();
        let places: Vec<usize> = drawn
            .filter_map(|i| self.union.binary_search(&i).ok())
            .collect();
        let all = self.pool.subset(&places)?;
        let labels = all.labels().iter().enumerate();
        let first: Vec<usize> = labels
            .filter(|(_, label)| **label < self.base)
            .map(|(i, _)| i)
            .collect();
        let half = all.subset(&first)?;
        Ok((all, half))
    }

    /// At most `limit` of the images to measure on, taken evenly from the classes.
    pub fn evenly(&self, limit: usize) -> Vec<usize> {
        evenly(self.test.labels(), limit)
    }
}
