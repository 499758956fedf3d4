//! How often is the answer right? Accuracy over a labeled data set, overall and per class.

mod draw;
mod lenient;
mod rejection;
mod retrieve;
mod tuning;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::classifier::{Answerer, Prediction};
use crate::clock::now;
use crate::dataset::{DataSet, Embedded, Item, Reading, embed_all};
use crate::error::{Error, Failure, Kind, Result};
use crate::image::views::Corruption;
use crate::reliability::{Assessment, assess};
use crate::tokenize::NameIndex;

pub use draw::{DrawEvaluation, DrawOptions, Draws};
pub use lenient::{LenientEvaluation, LenientTally, Relation, Relations};
pub use rejection::{OodEvaluation, Scored, ood_scores, own_scores};
pub use retrieve::{CAPTIONS, Recall, Retrieval, RetrieveOptions, retrieve};
pub use tuning::{TuningEvaluation, TuningTally};

/// What to measure on.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The split; if it is left out, the test split of a data set that has splits.
    pub split: Option<String>,
    /// The most images, taken evenly from the classes; all of them if it is left out.
    pub limit: Option<usize>,
    /// What is done to every image first.
    pub corruption: Option<Corruption>,
    /// Decides the noise of the corruption.
    pub seed: u64,
    /// Lists of a few names drawn at random, beside the whole list.
    pub draw: Option<DrawOptions>,
    /// What counts as right beside the exact name.
    pub lenient: Option<Relations>,
}

impl Options {
    /// How images are read for `answerer`.
    fn reading<'a>(&self, answerer: &'a Answerer<'a>) -> Reading<'a> {
        Reading {
            patches: answerer.needs_patches(),
            corruption: self.corruption.map(|c| (c, self.seed)),
            tuning: answerer.tuning().map(|_| answerer),
        }
    }
}

/// What was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Evaluation {
    /// Images measured.
    pub n: usize,
    /// Images left out because their class is not among the labels.
    pub skipped: usize,
    /// Images that could not be read or decoded; they count neither as right nor as wrong.
    pub failed: usize,
    /// Fraction of `n` whose most probable class is the true one.
    pub accuracy: f64,
    /// Fraction of `n` whose true class is among the five most probable.
    pub top5: f64,
    /// The mean of `per_class`.
    pub mean_per_class: f64,
    /// `accuracy` for each class that has images.
    pub per_class: BTreeMap<String, f64>,
    /// Images measured of each of these classes.
    pub per_class_n: BTreeMap<String, usize>,
    /// The first 100 failures.
    pub failures: Vec<Failure>,
    /// Accuracy among a few names drawn at random; none if that was not asked for.
    pub draw: Option<DrawEvaluation>,
    /// Accuracy with related names counted as right; none if that was not asked for.
    pub lenient: Option<LenientEvaluation>,
    /// What tuning did; none without it.
    pub tuning: Option<TuningEvaluation>,
    /// Which classes are mistaken for which, and whether the percentages are honest; none if it was not
    /// measured.
    pub assessment: Option<Assessment>,
    /// Seconds for reading, decoding and encoding; not for the model and the text features.
    pub seconds: f64,
}

/// Places that count for `top5`.
const NEAR: usize = 5;

/// The failures that are listed.
const LISTED: usize = 100;

/// Counts right and wrong answers.
#[derive(Debug, Clone)]
pub struct Tally {
    labels: Vec<String>,
    right: Vec<usize>,
    near: usize,
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
            near: 0,
            seen: vec![0; labels.len()],
            failed: 0,
            failures: Vec::new(),
        }
    }

    /// Counts an image of class `truth` with these scores, [K], and tells the place of the answer. Of
    /// equal scores the first wins.
    ///
    /// # Panics
    /// If `truth` is not below the number of labels.
    pub fn add(&mut self, truth: usize, scores: &[f64]) -> usize {
        let (best, _) =
            scores
                .iter()
                .enumerate()
                .fold((0, f64::NEG_INFINITY), |best, (place, &score)| {
                    if score > best.1 { (place, score) } else { best }
                });
        let higher = |(place, score): (usize, &f64)| {
            *score > scores[truth] || (*score == scores[truth] && place < truth)
        };
        let before = scores.iter().enumerate().filter(|s| higher(*s)).count();
        self.seen[truth] += 1;
        self.right[truth] += usize::from(best == truth);
        self.near += usize::from(before < NEAR);
        best
    }

    /// Counts an image that could not be measured.
    pub fn fail(&mut self, file: &str, error: &Error) {
        self.failed += 1;
        if self.failures.len() < LISTED {
            self.failures.push(Failure::from((file, error)));
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
                    self.failed, first.item, first.message
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
        let per_class: BTreeMap<String, f64> = classes()
            .map(|(label, (right, seen))| (label.clone(), fraction(*right, *seen)))
            .collect();
        Ok(Evaluation {
            n,
            skipped,
            failed: self.failed,
            accuracy: fraction(self.right.iter().sum(), n),
            top5: fraction(self.near, n),
            mean_per_class: per_class.values().sum::<f64>() / per_class.len() as f64,
            per_class,
            per_class_n: classes()
                .map(|(label, (_, seen))| (label.clone(), *seen))
                .collect(),
            failures: self.failures,
            draw: None,
            lenient: None,
            tuning: None,
            assessment: None,
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

/// The images to measure with the place of their class among `labels`, by the names as the model reads
/// them, in the order of `data`, and
/// how many were left out because their class is not there.
///
/// # Errors
/// `data/unknown-split`.
pub fn plan<'a>(
    data: &'a DataSet,
    labels: &[String],
    options: &Options,
) -> Result<(Vec<(&'a Item, usize)>, usize)> {
    let index = NameIndex::new(labels);
    let selected = data.select(options.split.as_deref())?;
    let total = selected.len();
    let mut known: Vec<(&Item, usize)> = selected
        .into_iter()
        .filter_map(|item| Some((item, index.place(&item.class)?)))
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

/// The first `limit` images if the classes, which `places` names for each image, take turns; back
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

/// Measures `answerer` on `data`. If it has a score, the scores of the images come beside the
/// accuracy, in the order of the images.
///
/// # Errors
/// `data/unknown-split`, `data/empty` if no image could be measured, `data/invalid`, `io/failed`,
/// `engine/not-finite`, `gpu/lost`.
pub fn evaluate(
    answerer: &Answerer<'_>,
    data: &DataSet,
    options: &Options,
) -> Result<(Evaluation, Vec<f64>)> {
    let start = now();
    let (model, classes) = (answerer.model(), answerer.classes());
    let (chosen, skipped) = plan(data, &classes.labels, options)?;
    let items: Vec<&Item> = chosen.iter().map(|(item, _)| *item).collect();
    let truths: Vec<usize> = chosen.iter().map(|(_, truth)| *truth).collect();
    let mut draws = match options.draw {
        Some(draw) => Some(Draws::new(draw, &truths, classes.labels.len())?),
        None => None,
    };
    let mut lenient = options.lenient.clone().map(LenientTally::new);
    let mut tally = Tally::new(&classes.labels);
    let mut scores = Vec::new();
    let (mut probabilities, mut measured) = (Vec::new(), Vec::new());
    let mut tuned = answerer.tuning().map(TuningTally::new);
    let reading = options.reading(answerer);
    each(answerer, data, &items, &reading, &mut |index, seen| {
        let (item, truth) = chosen[index];
        match seen {
            Ok(features) => {
                let answers = match (&features.tuned, &mut tuned) {
                    (Some(answer), Some(tuned)) => {
                        tuned.add(&classes.labels[truth], answer);
                        let answers = by_label(&answer.predictions, &classes.labels);
                        probabilities.extend(&answers);
                        answers
                    }
                    _ => {
                        let logits = pollster::block_on(classes.logits(model, &features.image))?;
                        probabilities.extend(classes.probabilities(&logits));
                        logits
                    }
                };
                measured.push(truth);
                let best = tally.add(truth, &answers);
                if let Some(draws) = &mut draws {
                    draws.add(index, truth, &answers);
                }
                if let Some(lenient) = &mut lenient {
                    lenient.add(&classes.labels[truth], &classes.labels[best]);
                }
                if let Some(detector) = answerer.detector() {
                    scores.push(detector.judge(features.seen(classes))?.value);
                }
            }
            Err(error) => tally.fail(&item.path, &error),
        }
        Ok(())
    })?;
    let mut found = tally.finish(skipped, (now() - start) / 1e3)?;
    found.draw = draws.and_then(Draws::finish);
    found.lenient = lenient.map(|tally| tally.finish(found.n, found.accuracy));
    found.tuning = tuned.map(TuningTally::finish);
    found.assessment = Some(assess(&probabilities, &measured, classes.labels.len())?);
    Ok((found, scores))
}

/// The probabilities of `predictions` in the order of `labels`.
fn by_label(predictions: &[Prediction], labels: &[String]) -> Vec<f64> {
    let found: BTreeMap<&str, f64> = predictions
        .iter()
        .map(|p| (p.label.as_str(), p.probability))
        .collect();
    let of = |label: &String| found.get(label.as_str()).copied().unwrap_or(0.0);
    labels.iter().map(of).collect()
}

/// Gives the features of `items` to `take` by their place.
fn each(
    answerer: &Answerer<'_>,
    data: &DataSet,
    items: &[&Item],
    reading: &Reading<'_>,
    take: &mut (dyn FnMut(usize, Embedded) -> Result<()> + Send),
) -> Result<()> {
    embed_all(
        answerer.model(),
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
