//! How often is the answer right? Accuracy over a labeled data set, overall and per class.

mod rejection;
mod tuning;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::classifier::{Classes, Classifier, ClassifyOptions, Method, Rejection, TuneSettings};
use crate::clock::now;
use crate::dataset::{DataSet, Embedded, Item, Reading, embed_all};
use crate::error::{Error, Kind, Result};
use crate::image::views::Corruption;

pub use rejection::{OodEvaluation, Scored, ood_scores, own_scores};
pub use tuning::{TuningEvaluation, TuningTally};

/// What to measure on.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The split; where it is left out, the test split of a data set that has splits.
    pub split: Option<String>,
    /// The most images, taken evenly from the classes; all of them where it is left out.
    pub limit: Option<usize>,
    /// What is done to every image first; its noise has the seed of `answers`.
    pub corruption: Option<Corruption>,
    /// How images are answered; tuning, where it is asked for, is done on each.
    pub answers: ClassifyOptions,
}

impl Options {
    /// How images are read for these classes and this score.
    fn reading<'a>(&'a self, classes: &'a Classes, rejection: Option<&Rejection>) -> Reading<'a> {
        let tuned = self.answers.tune != Method::None;
        Reading {
            patches: rejection.is_some_and(Rejection::needs_patches),
            corruption: self.corruption.map(|c| (c, self.answers.seed)),
            tuning: tuned.then_some((classes, &self.answers)),
        }
    }
}

/// An image that could not be measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// Its path inside the data set.
    pub file: String,
    /// The stable code.
    pub code: &'static str,
    /// The sentence for people.
    pub message: String,
}

/// What was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// Images measured.
    pub n: usize,
    /// Images left out because their class is not among the labels.
    pub skipped: usize,
    /// Images that could not be read or decoded; they count neither as right nor as wrong.
    pub failed: usize,
    /// Fraction of `n` whose most probable class is the true one.
    pub accuracy: f64,
    /// The same for each class that has images.
    pub per_class: BTreeMap<String, f64>,
    /// Images measured of each of these classes.
    pub per_class_n: BTreeMap<String, usize>,
    /// The first 100 failures.
    pub failures: Vec<Failure>,
    /// What tuning did; none without it.
    pub tuning: Option<TuningEvaluation>,
    /// Seconds for reading, decoding and encoding; not for the model and the text features.
    pub seconds: f64,
}

/// The failures that are listed.
const LISTED: usize = 100;

/// Counts right and wrong answers.
#[derive(Debug, Clone)]
pub struct Tally {
    labels: Vec<String>,
    right: Vec<usize>,
    seen: Vec<usize>,
    failed: usize,
    failures: Vec<Failure>,
}

impl Tally {
    /// Nothing counted yet, for the classes `labels`.
    pub fn new(labels: &[String]) -> Self {
        Self {
            labels: labels.to_vec(),
            right: vec![0; labels.len()],
            seen: vec![0; labels.len()],
            failed: 0,
            failures: Vec::new(),
        }
    }

    /// Counts an image of class `truth` with these scores, [K]. Of equal scores the first wins.
    ///
    /// # Panics
    /// If `truth` is not below the number of labels.
    pub fn add(&mut self, truth: usize, scores: &[f64]) {
        let best =
            scores
                .iter()
                .enumerate()
                .fold((0, f64::NEG_INFINITY), |best, (place, &score)| {
                    if score > best.1 { (place, score) } else { best }
                });
        self.answered(truth, best.0 == truth);
    }

    /// Counts an image of class `truth` that was answered rightly or not.
    ///
    /// # Panics
    /// If `truth` is not below the number of labels.
    pub fn answered(&mut self, truth: usize, right: bool) {
        self.seen[truth] += 1;
        self.right[truth] += usize::from(right);
    }

    /// Counts an image that could not be measured.
    pub fn fail(&mut self, file: &str, error: &Error) {
        self.failed += 1;
        if self.failures.len() < LISTED {
            self.failures.push(Failure {
                file: file.to_owned(),
                code: error.code(),
                message: error.message().to_owned(),
            });
        }
    }

    /// The measurement.
    ///
    /// # Errors
    /// `data/empty` if no image was measured.
    pub fn finish(self, skipped: usize, seconds: f64) -> Result<Evaluation> {
        let n: usize = self.seen.iter().sum();
        if n == 0 {
            let why = match self.failures.first() {
                Some(first) => format!(
                    "None of the {} images can be read; {}: {}",
                    self.failed, first.file, first.message
                ),
                None => format!(
                    "None of the {skipped} images has a class that is among the labels; class \
                     folders and labels must be named alike."
                ),
            };
            return Err(Error::new(Kind::DataEmpty, why));
        }
        let fraction = |right: usize, seen: usize| right as f64 / seen as f64;
        let classes = || {
            let counts = self.right.iter().zip(&self.seen);
            let named = self.labels.iter().zip(counts);
            named.filter(|(_, (_, seen))| **seen > 0)
        };
        Ok(Evaluation {
            n,
            skipped,
            failed: self.failed,
            accuracy: fraction(self.right.iter().sum(), n),
            per_class: classes()
                .map(|(label, (right, seen))| (label.clone(), fraction(*right, *seen)))
                .collect(),
            per_class_n: classes()
                .map(|(label, (_, seen))| (label.clone(), *seen))
                .collect(),
            failures: self.failures,
            tuning: None,
            seconds,
        })
    }
}

/// The class folders of a split, sorted.
///
/// # Errors
/// `data/unknown-split`.
pub fn class_names(data: &DataSet, split: Option<&str>) -> Result<Vec<String>> {
    let names: BTreeSet<&str> = data
        .select(split)?
        .into_iter()
        .map(|item| item.class.as_str())
        .collect();
    Ok(names.into_iter().map(str::to_owned).collect())
}

/// The images to measure with the place of their class among `labels`, in the order of `data`, and
/// how many were left out because their class is not there.
///
/// # Errors
/// `data/unknown-split`.
pub fn plan<'a>(
    data: &'a DataSet,
    labels: &[String],
    options: &Options,
) -> Result<(Vec<(&'a Item, usize)>, usize)> {
    let place: BTreeMap<&str, usize> = labels
        .iter()
        .enumerate()
        .map(|(place, label)| (label.as_str(), place))
        .collect();
    let selected = data.select(options.split.as_deref())?;
    let total = selected.len();
    let mut known: Vec<(&Item, usize)> = selected
        .into_iter()
        .filter_map(|item| Some((item, *place.get(item.class.as_str())?)))
        .collect();
    let skipped = total - known.len();
    if let Some(limit) = options.limit
        && limit < known.len()
    {
        let places: Vec<usize> = known.iter().map(|(_, place)| *place).collect();
        known = evenly(&places, limit)
            .into_iter()
            .map(|index| known[index])
            .collect();
    }
    Ok((known, skipped))
}

/// The first `limit` images where the classes, which `places` names for each image, take turns; back
/// in their own order.
pub fn evenly(places: &[usize], limit: usize) -> Vec<usize> {
    let mut turns: BTreeMap<usize, usize> = BTreeMap::new();
    let mut order: Vec<(usize, usize, usize)> = places
        .iter()
        .enumerate()
        .map(|(index, class)| {
            let turn = turns.entry(*class).or_default();
            *turn += 1;
            (*turn, *class, index)
        })
        .collect();
    order.sort_unstable();
    order.truncate(limit);
    let mut chosen: Vec<usize> = order.into_iter().map(|(.., index)| index).collect();
    chosen.sort_unstable();
    chosen
}

/// Measures `model` with the text features `classes` on `data`. Where there is a `rejection`, the
/// scores of the images come beside the accuracy, in the order of the images.
///
/// # Errors
/// `data/unknown-split`, `data/empty` if no image could be measured, `data/invalid`, `io/failed`,
/// `engine/not-finite`, `gpu/lost`.
pub fn evaluate(
    model: &Classifier,
    classes: &Classes,
    data: &DataSet,
    options: &Options,
    rejection: Option<&Rejection>,
) -> Result<(Evaluation, Vec<f64>)> {
    let start = now();
    let (chosen, skipped) = plan(data, &classes.labels, options)?;
    let items: Vec<&Item> = chosen.iter().map(|(item, _)| *item).collect();
    let mut tally = Tally::new(&classes.labels);
    let mut scores = Vec::new();
    let mut tuned = TuneSettings::of(&options.answers)?.map(TuningTally::new);
    if tuned.is_some() {
        classes.tunable_context()?;
    }
    let reading = options.reading(classes, rejection);
    each(model, data, &items, &reading, &mut |index, seen| {
        let (item, truth) = chosen[index];
        match seen {
            Ok(features) => {
                match (&features.tuned, &mut tuned) {
                    (Some(answer), Some(tuned)) => {
                        tally.answered(truth, tuned.add(&classes.labels[truth], answer));
                    }
                    _ => {
                        let logits = model.logits(&features.image, classes);
                        tally.add(truth, &pollster::block_on(logits)?);
                    }
                }
                if let Some(rejection) = rejection {
                    scores.push(rejection.judge(features.seen(classes))?.value);
                }
            }
            Err(error) => tally.fail(&item.path, &error),
        }
        Ok(())
    })?;
    let mut found = tally.finish(skipped, (now() - start) / 1e3)?;
    found.tuning = tuned.map(TuningTally::finish);
    Ok((found, scores))
}

/// Gives the features of `items` to `take` by their place.
fn each(
    model: &Classifier,
    data: &DataSet,
    items: &[&Item],
    reading: &Reading<'_>,
    take: &mut (dyn FnMut(usize, Embedded) -> Result<()> + Send),
) -> Result<()> {
    embed_all(
        model,
        reading,
        |give| {
            let mut index = 0;
            data.read(items, &mut |_, bytes| {
                index += 1;
                give(index - 1, bytes)
            })
        },
        take,
    )
}
