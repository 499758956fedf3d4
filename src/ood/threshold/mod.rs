//! A rejection threshold from the user's own images: split-conformal at 95 % acceptance.
//!
//! With n exchangeable held-out ID scores in ascending order and m = ⌊(n + 1) / 20⌋, accepting a
//! new ID image if its score is at least the m-th lowest rejects it with probability at most
//! m / (n + 1) ≤ 5 %, whatever the distribution (Vovk et al. 2005; Papadopoulos et al. 2002). The
//! true rejection rate of one fitted threshold varies: it follows Beta(m, n + 1 − m).

mod beta;
mod key;

use serde::{Deserialize, Serialize};

use super::metrics::Interval;
use crate::error::{Error, Kind, Result};
use crate::math::check_finite;

pub use beta::rejection_interval;
pub use key::{CalibrationKey, class_list_sha256, ordered_list_sha256};

/// The share of ID images that may be rejected is one in this many: 5 %.
const ONE_REJECTED_IN: usize = 20;
/// The fewest images that give a threshold: m = ⌊(n + 1) / 20⌋ must be at least 1.
pub const MIN_IMAGES: usize = ONE_REJECTED_IN - 1;
/// The largest calibration file that is read, in bytes.
const MAX_FILE: usize = 64 * 1024;
/// The most images, which bounds the work of [`Calibration::interval`] for a hostile file.
const MAX_IMAGES: usize = 1_000_000;
/// What reading decimal text may change of a number, relative to it.
const LAST_DIGITS: f64 = 1e-12;
const VERSION: u32 = 1;

/// A fitted threshold and everything it is valid for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    version: u32,
    /// What the threshold was fitted for.
    pub key: CalibrationKey,
    /// Number of images.
    pub n: usize,
    /// Rank of the threshold among the ascending scores, from 1.
    pub m: usize,
    /// Accept at or above.
    #[serde(with = "exact")]
    pub threshold: f64,
}

impl Calibration {
    /// The 95 % threshold of the scores of held-out ID images (not used for tuning), scored exactly
    /// as `key` says.
    ///
    /// # Errors
    /// `calibration/too-few` below [`MIN_IMAGES`], `options/invalid` above a million images,
    /// `engine/not-finite` for NaN or infinity.
    pub fn fit(key: CalibrationKey, scores: &[f64]) -> Result<Self> {
        check_finite(scores, "scores of the calibration images")?;
        let n = scores.len();
        if n < MIN_IMAGES {
            return Err(too_few(n));
        }
        if n > MAX_IMAGES {
            return Err(Error::new(
                Kind::OptionInvalid,
                format!("Calibrate on at most {MAX_IMAGES} images, not {n}."),
            ));
        }
        let m = rank(n);
        let mut sorted = scores.to_vec();
        sorted.sort_by(f64::total_cmp);
        Ok(Self {
            version: VERSION,
            key,
            n,
            m,
            threshold: sorted[m - 1],
        })
    }

    /// Whether an image with this score is probably none of the classes.
    ///
    /// # Errors
    /// `engine/not-finite`.
    pub fn is_outlier(&self, score: f64) -> Result<bool> {
        check_finite(&[score], "scores")?;
        // The threshold is itself the score of an image that is accepted, and the file's decimal
        // text may have moved its last digit.
        Ok(score < self.threshold - LAST_DIGITS * self.threshold.abs())
    }

    /// 95 % interval of the true share of ID images that this threshold rejects.
    pub fn interval(&self) -> Interval {
        rejection_interval(self.n, self.m)
    }

    /// Refuses a use for which the threshold was not fitted.
    ///
    /// # Errors
    /// `calibration/mismatch`, naming everything that changed.
    pub fn matches(&self, key: &CalibrationKey) -> Result<()> {
        let changed = self.key.differences(key);
        if changed.is_empty() {
            return Ok(());
        }
        Err(Error::new(
            Kind::CalibrationMismatch,
            format!(
                "The threshold does not hold here, because this changed since it was calibrated: \
                 {}. Calibrate again.",
                changed.join("; ")
            ),
        ))
    }

    /// The file's text, JSON.
    ///
    /// # Errors
    /// `engine/internal`.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string_pretty(self)
            .map_err(|e| Error::new(Kind::Internal, format!("The calibration has no JSON: {e}.")))
    }

    /// Reads [`Calibration::to_json`]'s text.
    ///
    /// # Errors
    /// `calibration/invalid`.
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        let invalid = |why: String| {
            Error::new(
                Kind::CalibrationInvalid,
                format!("This is no calibration file: {why}."),
            )
        };
        if bytes.len() > MAX_FILE {
            return Err(invalid(format!("it is larger than {MAX_FILE} bytes")));
        }
        let read: Self = serde_json::from_slice(bytes).map_err(|e| invalid(e.to_string()))?;
        if read.version != VERSION {
            return Err(invalid(format!(
                "its version is {}, not {VERSION}",
                read.version
            )));
        }
        if !(MIN_IMAGES..=MAX_IMAGES).contains(&read.n) || read.m != rank(read.n) {
            return Err(invalid(format!(
                "rank {} does not follow from {} images",
                read.m, read.n
            )));
        }
        if !read.threshold.is_finite() {
            return Err(invalid("the threshold is not a number".into()));
        }
        Ok(read)
    }
}

/// m = ⌊0.05 (n + 1)⌋, in whole numbers.
fn rank(n: usize) -> usize {
    (n + 1) / ONE_REJECTED_IN
}

fn too_few(n: usize) -> Error {
    let reason = match n {
        0 => "None was given.".to_owned(),
        _ => {
            let Interval { low, high } = rejection_interval(n, 1);
            format!(
                "With {n}, even the lowest score as the threshold would reject an unknown share \
                 of your own images, {:.1} % to {:.1} % (95 % interval of Beta(1, {n})).",
                100.0 * low,
                100.0 * high
            )
        }
    };
    Error::new(
        Kind::CalibrationTooFew,
        format!(
            "A threshold that accepts 95 % of your images needs at least {MIN_IMAGES} of them. \
             {reason} Add more images."
        ),
    )
}

/// A float as its shortest decimal text, which Rust reads back to the same bits. JSON numbers go
/// through a faster parser that may miss the last one, and the image that sets the threshold must
/// not fall below it.
mod exact {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&value.to_string())
    }

    pub fn deserialize<'a, D: Deserializer<'a>>(deserializer: D) -> Result<f64, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(|_| D::Error::custom("the threshold is not a number"))
    }
}
