//! How well are images of none of the classes told apart?

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{LISTED, Options, each, evenly};
use crate::classifier::{Answerer, Calibrator, Detector};
use crate::dataset::{DataSet, Item};
use crate::error::{Error, Failure, Kind, Result};
use crate::ood::metrics::{Intervals, OodMetrics, intervals};
use crate::prompt_learning::descriptions::folded;

/// Redraws behind the intervals.
const REDRAWS: usize = 1000;

/// The scores of a set of images.
#[derive(Debug, Clone, Default)]
pub struct Scored {
    /// Scores in the order of the images.
    pub values: Vec<f64>,
    /// Images left out by their class.
    pub skipped: usize,
    /// Images that could not be scored.
    pub failed: usize,
    /// The first 100 of these.
    pub failures: Vec<Failure>,
}

impl Scored {
    fn fail(&mut self, file: &str, error: &Error) {
        self.failed += 1;
        if self.failures.len() < LISTED {
            self.failures.push(Failure::from((file, error)));
        }
    }
}

/// Separation of the classes' images from others.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OodEvaluation {
    /// The score's name.
    pub score: &'static str,
    /// The metrics; `threshold` accepts 95 % of the measured images of the classes.
    #[serde(flatten)]
    pub metrics: OodMetrics,
    /// 95 % bootstrap intervals of the metrics, 1,000 redraws.
    pub intervals: Intervals,
    /// Images of the classes that were scored.
    pub n_in: usize,
    /// Other images that were scored.
    pub n_out: usize,
    /// Other images left out because their folder has the name of a class.
    pub skipped_out: usize,
    /// Other images that could not be scored.
    pub failed_out: usize,
    /// What the calibrated threshold does, if there is one.
    pub calibrated: Option<AtThreshold>,
}

/// What a threshold rejects.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct AtThreshold {
    /// Accepted at or above.
    pub threshold: f64,
    /// Fraction of the images of the classes below it.
    pub rejected_in: f64,
    /// Fraction of the other images below it.
    pub rejected_out: f64,
}

impl OodEvaluation {
    /// From the scores of the classes' images and of others.
    ///
    /// # Errors
    /// `data/empty` if either side has no image, `engine/not-finite`.
    pub fn new(detector: &Detector, own: &[f64], others: &Scored) -> Result<Self> {
        if own.is_empty() || others.values.is_empty() {
            return Err(Error::new(
                Kind::DataEmpty,
                format!(
                    "There are {} images of the classes and {} others to compare; both are needed \
                     ({} others have the name of a class, {} cannot be read).",
                    own.len(),
                    others.values.len(),
                    others.skipped,
                    others.failed
                ),
            ));
        }
        let below = |scores: &[f64], threshold: f64| {
            scores.iter().filter(|s| **s < threshold).count() as f64 / scores.len() as f64
        };
        Ok(Self {
            score: detector.name(),
            metrics: OodMetrics::of(own, &others.values)?,
            intervals: intervals(own, &others.values, REDRAWS, 0)?,
            n_in: own.len(),
            n_out: others.values.len(),
            skipped_out: others.skipped,
            failed_out: others.failed,
            calibrated: detector.threshold().map(|threshold| AtThreshold {
                threshold,
                rejected_in: below(own, threshold),
                rejected_out: below(&others.values, threshold),
            }),
        })
    }
}

/// The score of `answerer`, without which there is nothing to compare.
fn detector<'a>(answerer: &'a Answerer<'_>) -> Result<&'a Detector> {
    answerer
        .detector()
        .ok_or_else(|| Error::new(Kind::Internal, "There is no score to compare images by."))
}

/// The images of a split that `options` names, or of the usual one if `data` has no such split.
fn selected<'a>(data: &'a DataSet, options: &Options) -> Result<Vec<&'a Item>> {
    let wanted = options.split.as_deref();
    data.select(wanted.filter(|split| data.splits().contains(split)))
}

/// At most `limit` of `items`, taken evenly from their folders.
fn limited(items: Vec<&Item>, limit: Option<usize>) -> Vec<&Item> {
    let limit = limit.unwrap_or(usize::MAX);
    if limit >= items.len() {
        return items;
    }
    let mut numbers = BTreeMap::new();
    let folders: Vec<usize> = items
        .iter()
        .map(|item| {
            let next = numbers.len();
            *numbers.entry(item.class.as_str()).or_insert(next)
        })
        .collect();
    let chosen = evenly(&folders, limit);
    chosen.into_iter().map(|i| items[i]).collect()
}

/// Scores the images of `data` that show none of the classes: those whose folder has the name of a
/// class are left out.
///
/// # Errors
/// `data/unknown-split`, `data/invalid`, `io/failed`, `engine/not-finite`, `gpu/lost`.
pub fn ood_scores(answerer: &Answerer<'_>, data: &DataSet, options: &Options) -> Result<Scored> {
    let (classes, detector) = (answerer.classes(), detector(answerer)?);
    let own: BTreeSet<String> = classes.labels.iter().map(|label| folded(label)).collect();
    let all = selected(data, options)?;
    let total = all.len();
    let others: Vec<&Item> = all
        .into_iter()
        .filter(|item| !own.contains(&folded(&item.class)))
        .collect();
    let mut scored = Scored {
        skipped: total - others.len(),
        ..Scored::default()
    };
    let items = limited(others, options.limit);
    let reading = options.reading(answerer);
    each(answerer, data, &items, &reading, &mut |index, seen| {
        match seen {
            Ok(features) => scored
                .values
                .push(detector.judge(features.seen(classes))?.value),
            Err(error) => scored.fail(&items[index].path, &error),
        }
        Ok(())
    })?;
    Ok(scored)
}

/// Gives the scores of the user's own images to `calibrator`. Where folders have names of classes,
/// only these count.
///
/// # Errors
/// As [`ood_scores`].
pub fn own_scores(
    answerer: &Answerer<'_>,
    data: &DataSet,
    options: &Options,
    calibrator: &mut Calibrator<'_>,
) -> Result<Scored> {
    let (classes, detector) = (answerer.classes(), detector(answerer)?);
    let own: BTreeSet<String> = classes.labels.iter().map(|label| folded(label)).collect();
    let all = selected(data, options)?;
    let total = all.len();
    let named: Vec<&Item> = all
        .iter()
        .copied()
        .filter(|item| own.contains(&folded(&item.class)))
        .collect();
    let items = if named.is_empty() { all } else { named };
    let mut scored = Scored {
        skipped: total - items.len(),
        ..Scored::default()
    };
    let items = limited(items, options.limit);
    let reading = options.reading(answerer);
    each(answerer, data, &items, &reading, &mut |index, seen| {
        let judged = seen.and_then(|features| detector.judge(features.seen(classes)));
        match &judged {
            Ok(ood) => scored.values.push(ood.value),
            Err(error) => scored.fail(&items[index].path, error),
        }
        calibrator.put(judged.map(|ood| ood.value))
    })?;
    Ok(scored)
}
