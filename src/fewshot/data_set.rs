//! Labeled files to the features that recipes learn from.

use std::collections::BTreeSet;

use pollster::block_on;

use crate::classifier::Classifier;
use crate::dataset::{DataSet, Item, pipeline, workers};
use crate::error::{Error, Kind, Result};
use crate::evaluate::{Failure, Options, plan};
use crate::image::views::Corruption;
use crate::prompt_learning::descriptions::folded;
use crate::prompt_learning::examples::{Examples, sample_shots};
use crate::prompt_learning::photos::{ExampleBuilder, ViewEncoder};

/// The split that recipes learn from.
const TRAIN_SPLIT: &str = "train";

/// Photos that a thread takes at a time.
const PHOTOS_AT_ONCE: usize = 8;

/// Which photos, and how they are looked at.
#[derive(Debug, Clone, Default)]
pub struct Source {
    /// The split; none takes all of a data set without splits.
    pub split: Option<String>,
    /// The most images per class.
    pub shots: Option<usize>,
    /// The most images in all, taken evenly from the classes.
    pub limit: Option<usize>,
    /// Views per image, the plain one among them.
    pub crops: usize,
    /// Decides which images and which crops.
    pub seed: u64,
    /// What is done to every image first; its noise has the same seed.
    pub corruption: Option<Corruption>,
}

impl Source {
    /// The images to learn from: those of the train split where `data` has splits.
    pub fn training(data: &DataSet) -> Self {
        Self {
            split: (!data.splits().is_empty()).then(|| TRAIN_SPLIT.to_owned()),
            crops: 1,
            ..Self::default()
        }
    }
}

/// Images as features.
#[derive(Debug)]
pub struct Taken {
    /// The images that could be read.
    pub examples: Examples,
    /// Images that could not be read.
    pub failures: Vec<Failure>,
}

/// The chosen images of `data` with the place of their class among `names`, and how many were left
/// out because their class is not there.
///
/// # Errors
/// `data/unknown-split`.
pub fn chosen<'a>(
    data: &'a DataSet,
    names: &[String],
    source: &Source,
) -> Result<(Vec<(&'a Item, usize)>, usize)> {
    let options = Options {
        split: source.split.clone(),
        limit: source.limit,
        ..Options::default()
    };
    let (mut chosen, skipped) = plan(data, names, &options)?;
    if let Some(shots) = source.shots {
        let labels: Vec<usize> = chosen.iter().map(|(_, label)| *label).collect();
        let kept = sample_shots(&labels, shots, source.seed);
        chosen = kept.into_iter().map(|i| chosen[i]).collect();
    }
    Ok((chosen, skipped))
}

/// The images of `data` whose folder has the name of none of the classes, all under label 0; of the
/// split to learn from where `data` has it.
///
/// # Errors
/// `data/unknown-split`.
pub fn others<'a>(
    data: &'a DataSet,
    names: &[String],
    source: &Source,
) -> Result<Vec<(&'a Item, usize)>> {
    let wanted = source.split.as_deref();
    let all = data.select(wanted.filter(|split| data.splits().contains(split)))?;
    let own: BTreeSet<String> = names.iter().map(|name| folded(name)).collect();
    Ok(all
        .into_iter()
        .filter(|item| !own.contains(&folded(&item.class)))
        .map(|item| (item, 0))
        .collect())
}

/// The features of `chosen` images of `data`; tells `observe` how many are done.
///
/// # Errors
/// `data/empty` where none can be read, `data/invalid`, `io/failed`, `engine/not-finite`,
/// `gpu/lost`.
pub fn examples(
    model: &Classifier,
    data: &DataSet,
    chosen: &[(&Item, usize)],
    classes: usize,
    source: &Source,
    observe: &(dyn Fn(usize, usize) + Sync),
) -> Result<Taken> {
    let look = ViewEncoder::new(source.crops, source.seed, source.corruption)?;
    let mut photos = ExampleBuilder::new(classes, look);
    let items: Vec<&Item> = chosen.iter().map(|(item, _)| *item).collect();
    pipeline(
        (workers(model), PHOTOS_AT_ONCE),
        |give| {
            let mut numbers = 0..;
            data.read(&items, &mut |_, bytes| {
                numbers.next().map_or(Ok(()), |number| give(number, bytes))
            })
        },
        &|files| {
            let look_at = |(number, file): (usize, Result<Vec<u8>>)| {
                let found = match file {
                    Ok(bytes) => block_on(look.features(model, number, &bytes))?,
                    Err(error) => Err(error),
                };
                Ok((number, found))
            };
            files.into_iter().map(look_at).collect()
        },
        &mut |number, found| {
            observe(number, items.len());
            photos.keep(found, chosen[number].1);
            Ok(())
        },
    )?;
    observe(items.len(), items.len());
    let failures: Vec<Failure> = photos
        .failures()
        .iter()
        .map(|(number, error)| Failure {
            file: items[*number].path.clone(),
            code: error.code(),
            message: error.message().to_owned(),
        })
        .collect();
    if let (true, Some(first)) = (photos.is_empty(), failures.first()) {
        let sentence = format!(
            "None of the {} images can be read; {}: {}",
            failures.len(),
            first.file,
            first.message
        );
        return Err(Error::new(Kind::DataEmpty, sentence));
    }
    Ok(Taken {
        examples: photos.finish()?,
        failures,
    })
}
