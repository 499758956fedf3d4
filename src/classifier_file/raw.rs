//! A classifier file as it is written, and what is checked of its parts.

use serde::Deserialize;

use super::{MAX_CHARS, ModelReference, Rejection, Threshold, invalid, too_long};
use crate::error::{Error, Kind, Result};
use crate::image::views::MAX_VIEWS;
use crate::ood::score::by_name;
use crate::ood::threshold::Calibration;
use crate::quant::Quantization;
use crate::tpt::{MAX_STEPS, Method, Overrides, StrongViews, Tuning, TuningKind};

/// The most negative labels, struck or added words.
const MAX_WORDS: usize = 50_000;

/// The longest address in bytes.
const MAX_ADDRESS: usize = 2048;

/// The largest seed: a browser's numbers are exact up to here.
const MAX_SEED: u64 = (1 << 53) - 1;

#[derive(Deserialize)]
pub(super) struct Raw {
    pub(super) labels: Vec<String>,
    pub(super) templates: Vec<String>,
    pub(super) prompt: Option<String>,
    pub(super) rejection: Option<RawRejection>,
    pub(super) tuning: Option<RawTuning>,
    pub(super) temperature: Option<f64>,
    pub(super) model: Option<RawModel>,
}

#[derive(Deserialize)]
#[serde(default)]
pub(super) struct RawRejection {
    score: Option<String>,
    threshold: Option<RawThreshold>,
    calibration: Option<RawCalibration>,
    negatives: RawNegatives,
}

/// A score that is left out is the default one; `null` is none.
impl Default for RawRejection {
    fn default() -> Self {
        Self {
            score: Some("mcm".to_owned()),
            threshold: None,
            calibration: None,
            negatives: RawNegatives::default(),
        }
    }
}

#[derive(Deserialize)]
pub(super) struct RawThreshold {
    score: String,
    value: f64,
}

/// What is beside `file` is for people and pages, and is also in it.
#[derive(Deserialize)]
pub(super) struct RawCalibration {
    file: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct RawNegatives {
    own: Option<Vec<String>>,
    struck: Vec<String>,
    added: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct RawTuning {
    tune: Option<String>,
    views: Option<f64>,
    steps: Option<f64>,
    seed: Option<f64>,
    rho: Option<f64>,
    augmix: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct RawModel {
    address: Option<String>,
    name: String,
    quantization: Option<String>,
    sha256: Option<String>,
}

impl RawRejection {
    pub(super) fn checked(self) -> Result<Rejection> {
        let threshold = self.threshold.map(|t| {
            by_name(&t.score).map(|score| Threshold {
                score: score.name,
                value: t.value,
            })
        });
        let file = self.calibration.map(|calibration| calibration.file);
        let RawNegatives { own, struck, added } = self.negatives;
        for words in [own.as_ref(), Some(&struck), Some(&added)]
            .into_iter()
            .flatten()
        {
            within_limits(words)?;
        }
        if own.as_ref().is_some_and(Vec::is_empty) {
            return Err(Error::new(
                Kind::NegativesEmpty,
                "The list of negative labels in this classifier file is empty. Save it again.",
            ));
        }
        Ok(Rejection {
            score: self.score.as_deref().map(by_name).transpose()?,
            threshold: threshold.transpose()?,
            calibration: file
                .map(|file| Calibration::from_json(file.as_bytes()))
                .transpose()?,
            own,
            struck,
            added,
        })
    }
}

fn within_limits(words: &[String]) -> Result<()> {
    let sound = words.len() <= MAX_WORDS && !words.iter().any(|word| too_long(word));
    sound.then_some(()).ok_or_else(|| {
        let sentence = format!(
            "The classifier file has more than {MAX_WORDS} negative labels, or one of more than {MAX_CHARS} characters."
        );
        Error::new(Kind::NegativesInvalid, sentence)
    })
}

impl RawTuning {
    pub(super) fn checked(self) -> Result<Option<Tuning>> {
        let overrides = Overrides {
            views: count(self.views, MAX_VIEWS)?,
            steps: count(self.steps, MAX_STEPS)?,
            rho: self.rho,
            seed: whole(self.seed, 0, MAX_SEED)?.unwrap_or(0),
        };
        let kind = match Method::parse_or_none(self.tune.as_deref().unwrap_or("none"))? {
            None => return Ok(None),
            Some(Method::Tpt) => TuningKind::Tpt {
                augmix: self.augmix.unwrap_or(false),
            },
            Some(Method::DiffTptLite) => TuningKind::DiffTptLite(StrongViews::Drawn),
        };
        Tuning::new(kind, &overrides).map(Some)
    }
}

/// From 1 to `most`.
fn count(value: Option<f64>, most: usize) -> Result<Option<usize>> {
    Ok(whole(value, 1, most as u64)?.map(|value| value as usize))
}

/// A whole number from `low` to `high`.
fn whole(value: Option<f64>, low: u64, high: u64) -> Result<Option<u64>> {
    let Some(value) = value else { return Ok(None) };
    if value.fract() == 0.0 && value >= low as f64 && value <= high as f64 {
        return Ok(Some(value as u64));
    }
    Err(Error::new(
        Kind::OptionInvalid,
        format!(
            "A setting of tuning in this classifier file is no whole number from {low} to {high}."
        ),
    ))
}

impl RawModel {
    pub(super) fn checked(self) -> Result<ModelReference> {
        let hash = |text: &String| {
            text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        };
        if self.sha256.as_ref().is_some_and(|sha256| !hash(sha256)) {
            return Err(invalid("the hash of its model is none"));
        }
        let address = |text: &String| !text.is_empty() && text.len() <= MAX_ADDRESS;
        if self.address.as_ref().is_some_and(|a| !address(a)) || too_long(&self.name) {
            return Err(invalid("the address or the name of its model is none"));
        }
        Ok(ModelReference {
            address: self.address,
            name: self.name,
            quantization: self
                .quantization
                .as_deref()
                .map(Quantization::parse)
                .transpose()?,
            sha256: self.sha256,
        })
    }
}
