//! The images of a comparison: several draws to learn from, and those to measure on.

use super::types::{Benchmark, Entry};
use crate::dataset::{DataSet, Item};
use crate::error::{Error, Failure, Kind, Result};
use crate::evaluate::{class_names, evenly};
use crate::fewshot::data_set::{Selection, encode_items};
use crate::fewshot::photos::ViewEncoder;
use crate::model::Model;
use crate::prompt_learning::examples::{Examples, sample_shots};
use crate::prompt_learning::parameters::Crops;

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
    drawn: Vec<usize>,
    /// Their features.
    features: Examples,
}

/// The crops that all entries look at photos in, as these are looked at once for all.
fn shared_crops(entries: &[Entry]) -> Result<Option<Crops>> {
    let mut all = entries.iter().filter_map(|entry| entry.recipe.crops());
    let first = all.next();
    let kind = |crops: &Crops| (crops.area, crops.epochs.is_some(), crops.filter);
    if all.any(|other| first.as_ref().map(kind) != Some(kind(&other))) {
        return Err(Error::new(
            Kind::OptionInvalid,
            "These recipes take different crops; compare them apart, or give all the same crop-area, fresh-crops and crop-filter.",
        ));
    }
    Ok(first)
}

impl Splits {
    /// Encodes the images that `benchmark` needs. `tell` gets a line now and then.
    ///
    /// # Errors
    /// `data/unknown-split`, `data/empty`; `data/invalid` if an image to learn from cannot be read;
    /// the device's errors.
    pub fn read(
        benchmark: &Benchmark<'_>,
        model: &Model,
        data: &DataSet,
        tell: &dyn Fn(&str),
    ) -> Result<Self> {
        let selection = Selection::training(data);
        let names = class_names(data, selection.split.as_deref())?;
        if names.len() < 2 {
            return Err(Error::new(
                Kind::DataEmpty,
                "A comparison needs at least two classes.",
            ));
        }
        let (items, _) = selection.items(data, &names)?;
        let labels: Vec<usize> = items.iter().map(|(_, label)| *label).collect();
        let drawn = drawn(benchmark, &labels);
        let train: Vec<(&Item, usize)> = drawn.iter().map(|i| items[*i]).collect();
        tell(&format!("{} images to learn from", train.len()));
        let encoder = |views| ViewEncoder::new(views, 0, benchmark.corruption);
        let encode = |items: &[(&Item, usize)], encoder| {
            encode_items(model, data, items, names.len(), encoder)
        };
        let crops = shared_crops(benchmark.entries)?;
        let learned = encoder(benchmark.crops)?.with_crops(crops);
        let (mut features, failed) = encode(&train, learned)?;
        if crops.is_some_and(|crops| crops.epochs.is_some()) {
            features = features.with_fresh_crops();
        }
        if let Some(first) = failed.first() {
            return Err(Error::new(
                Kind::DataInvalid,
                format!("{}: {}", first.item, first.message),
            ));
        }
        let test = if benchmark.validation {
            held_back(&labels, &drawn)
                .into_iter()
                .map(|i| items[i])
                .collect()
        } else {
            let selection = Selection {
                limit: benchmark.limit,
                ..Selection::default()
            };
            selection.items(data, &names)?.0
        };
        tell(&format!("{} images to measure on", test.len()));
        let (test, failures) = encode(&test, encoder(1)?)?;
        Ok(Self {
            base: names.len().div_ceil(2),
            names,
            test,
            failures,
            labels,
            drawn,
            features,
        })
    }

    /// The images of the draw with `seed`: `shots` of every class, and those of the base classes
    /// alone.
    ///
    /// # Errors
    /// `data/empty`.
    pub fn images(&self, shots: usize, seed: u64) -> Result<(Examples, Examples)> {
        let sampled = sample_shots(&self.labels, shots, seed).into_iter();
        let indices: Vec<usize> = sampled
            .filter_map(|i| self.drawn.binary_search(&i).ok())
            .collect();
        let all = self.features.subset(&indices)?;
        let labels = all.labels().iter().enumerate();
        let base: Vec<usize> = labels
            .filter(|(_, label)| **label < self.base)
            .map(|(i, _)| i)
            .collect();
        let base = all.subset(&base)?;
        Ok((all, base))
    }

    /// At most `limit` of the images to measure on, taken evenly from the classes.
    pub fn evenly(&self, limit: usize) -> Vec<usize> {
        evenly(self.test.labels(), limit)
    }
}

/// The images that are in any draw, ascending.
fn drawn(benchmark: &Benchmark<'_>, labels: &[usize]) -> Vec<usize> {
    let shots = benchmark.shots.iter().copied().max().unwrap_or(1);
    let draws = (0..benchmark.seeds).flat_map(|seed| sample_shots(labels, shots, seed));
    let mut drawn: Vec<usize> = draws.collect();
    drawn.sort_unstable();
    drawn.dedup();
    drawn
}

/// Images for validation among those that are in no draw.
fn held_back(labels: &[usize], drawn: &[usize]) -> Vec<usize> {
    let mut rest: Vec<usize> = (0..labels.len()).collect();
    rest.retain(|i| drawn.binary_search(i).is_err());
    let labels: Vec<usize> = rest.iter().map(|i| labels[*i]).collect();
    let held = sample_shots(&labels, VALIDATION, u64::MAX).into_iter();
    held.map(|i| rest[i]).collect()
}
