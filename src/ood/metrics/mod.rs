//! How well a score separates in-distribution (ID) images from others, in OpenOOD's order:
//! FPR@95, AUROC, AUPR-in, AUPR-out, accuracy.

mod bootstrap;
mod published;

use serde::Serialize;

use crate::error::{Error, Kind, Result};
use crate::math::check_finite;

use published::Published;

pub use bootstrap::{Interval, Intervals, intervals};

/// Separation of ID from OOD scores. Shares between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct OodMetrics {
    /// Share of OOD images accepted at `threshold`, the highest with a recall of at least 95 % (ID is
    /// the positive class).
    pub fpr95: f64,
    /// Probability that an ID image scores higher than an OOD image; ties count one half.
    pub auroc: f64,
    /// Average precision with ID as the positive class.
    pub aupr_in: f64,
    /// Average precision with OOD as the positive class.
    pub aupr_out: f64,
    /// Share of ID images classified correctly, if that was measured.
    pub accuracy: Option<f64>,
    /// Share of ID images rejected if at least 95 % of OOD images are (OOD is the positive class).
    pub fpr95_ood_positive: f64,
    /// Share of OOD images accepted at the recall closest to 95 %, of two equally close at the larger,
    /// as the code of NegLabel and MCM has it (ID is the positive class).
    pub fpr95_neglabel: f64,
    /// As `fpr95_ood_positive` at a corner of the ROC curve, as OpenOOD has it: scikit-learn leaves out
    /// points between equal steps.
    pub fpr95_openood: f64,
    /// Area below the precision-recall curve by trapezoids with ID as the positive class, as OpenOOD
    /// has it; `aupr_in` is the average precision, as NegLabel has it.
    pub aupr_in_openood: f64,
    /// The same with OOD as the positive class.
    pub aupr_out_openood: f64,
    /// The highest threshold that accepts at least 95 % of the ID images (accept at or above).
    pub threshold: f64,
}

impl OodMetrics {
    /// The metrics of the scores of ID and OOD images; a higher score means more in-distribution.
    ///
    /// # Errors
    /// `options/invalid` if either side has no image, `engine/not-finite` for NaN or infinity.
    pub fn of(id: &[f64], ood: &[f64]) -> Result<Self> {
        Ok(Self::of_sorted(
            &sorted(id, "in-distribution")?,
            &sorted(ood, "other")?,
        ))
    }

    /// The same with the share of ID images that were classified correctly.
    #[must_use]
    pub fn with_accuracy(self, accuracy: f64) -> Self {
        Self {
            accuracy: Some(accuracy),
            ..self
        }
    }

    /// FPR@95 (ID positive), AUROC, AUPR-in, AUPR-out, accuracy (NaN if unknown).
    pub fn row(&self) -> [f64; 5] {
        let accuracy = self.accuracy.unwrap_or(f64::NAN);
        [
            self.fpr95,
            self.auroc,
            self.aupr_in,
            self.aupr_out,
            accuracy,
        ]
    }

    /// Both slices are ascending, finite and not empty.
    fn of_sorted(id: &[f64], ood: &[f64]) -> Self {
        // Integer division: 0.05 n in f64 could land on the wrong side of a whole number.
        let threshold = id[id.len() / 20];
        let accepted = ood.len() - ood.partition_point(|s| *s < threshold);
        let caught = ood[ood.len() - 1 - ood.len() / 20];
        let rejected = id.partition_point(|s| *s <= caught);
        let counts = Counts::descending(id, ood);
        let published = Published::of(&counts);
        Self {
            fpr95: accepted as f64 / ood.len() as f64,
            auroc: auroc(&counts, id.len(), ood.len()),
            aupr_in: average_precision(counts.iter().map(|c| (c.id, c.ood)), id.len()),
            aupr_out: average_precision(counts.iter().rev().map(|c| (c.ood, c.id)), ood.len()),
            accuracy: None,
            fpr95_ood_positive: rejected as f64 / id.len() as f64,
            fpr95_neglabel: published.fpr95_neglabel,
            fpr95_openood: published.fpr95_openood,
            aupr_in_openood: published.aupr_in_openood,
            aupr_out_openood: published.aupr_out_openood,
            threshold,
        }
    }
}

/// How many images share one score.
struct Counts {
    id: usize,
    ood: usize,
}

impl Counts {
    /// One entry for each distinct score, highest first.
    fn descending(id: &[f64], ood: &[f64]) -> Vec<Self> {
        let (mut i, mut o) = (id.len(), ood.len());
        let mut counts = Vec::with_capacity(i + o);
        while i + o > 0 {
            let top = match (i, o) {
                (0, _) => ood[o - 1],
                (_, 0) => id[i - 1],
                _ => id[i - 1].max(ood[o - 1]),
            };
            let (left_id, left_ood) = (take_while_equal(id, i, top), take_while_equal(ood, o, top));
            counts.push(Self {
                id: i - left_id,
                ood: o - left_ood,
            });
            (i, o) = (left_id, left_ood);
        }
        counts
    }
}

fn take_while_equal(sorted: &[f64], end: usize, value: f64) -> usize {
    end - sorted[..end]
        .iter()
        .rev()
        .take_while(|s| **s == value)
        .count()
}

/// Mann-Whitney U over the number of pairs; a tie is half a win, which is what midranks give. All
/// counts are whole numbers below 2^53, so nothing is rounded before the final division.
fn auroc(counts: &[Counts], id: usize, ood: usize) -> f64 {
    let mut ood_below = ood;
    let mut twice_wins = 0f64;
    for c in counts {
        ood_below -= c.ood;
        twice_wins += c.id as f64 * (2 * ood_below + c.ood) as f64;
    }
    twice_wins / (2.0 * id as f64 * ood as f64)
}

/// Σ (recall step) · precision over distinct thresholds from the most positive one downwards.
fn average_precision(groups: impl Iterator<Item = (usize, usize)>, positives: usize) -> f64 {
    let (mut hits, mut taken, mut area) = (0usize, 0usize, 0f64);
    for (positive, negative) in groups {
        hits += positive;
        taken += positive + negative;
        area += positive as f64 * (hits as f64 / taken as f64);
    }
    area / positives as f64
}

fn sorted(scores: &[f64], which: &str) -> Result<Vec<f64>> {
    if scores.is_empty() {
        return Err(Error::new(
            Kind::OptionInvalid,
            format!("There are no {which} images: metrics need at least one."),
        ));
    }
    check_finite(scores, &format!("scores of the {which} images"))?;
    let mut scores = scores.to_vec();
    scores.sort_by(f64::total_cmp);
    Ok(scores)
}
