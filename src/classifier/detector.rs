//! Is it none of these? A score that is ready for one class list, and its verdict on an image if a
//! threshold is calibrated.

use std::sync::Arc;

use serde::Serialize;

use super::ClassSet;
use super::negatives::Negatives;
use crate::error::{Error, Kind, Result};
use crate::math::{MatrixView, cosines};
use crate::model::Model;
use crate::ood::negatives::nearest;
use crate::ood::score::{Score, ScoreInput, ScoreParameters, by_name, check_parameters};
use crate::ood::threshold::{Calibration, CalibrationKey};
use crate::progress::Progress;
use crate::tpt::Tuning;

/// The score unless another is named: it needs neither negative labels nor patches.
pub const DEFAULT_SCORE: &str = "mcm";

/// The negative labels that are named as hints at what the image shows instead.
const HINTS: usize = 3;

/// Which score, and what it is compared with.
#[derive(Debug, Clone, PartialEq)]
pub struct OodOptions {
    /// A name of [`crate::ood::score::REGISTRY`].
    pub score: String,
    /// Temperature on cosines; the score's own for this model if `None`.
    pub tau: Option<f64>,
    /// Groups of negative labels; 100 if `None`.
    pub groups: Option<usize>,
    /// Weight of GL-MCM's local term; 0.5 if `None`.
    pub local_weight: Option<f64>,
    /// A threshold; it must have been calibrated for exactly this use.
    pub calibration: Option<Arc<Calibration>>,
}

impl Default for OodOptions {
    fn default() -> Self {
        Self::named(DEFAULT_SCORE)
    }
}

impl OodOptions {
    /// The score called `name` with its defaults and without a threshold.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            score: name.into(),
            tau: None,
            groups: None,
            local_weight: None,
            calibration: None,
        }
    }
}

/// Whether an image is any of the classes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// The score's name.
    pub score: &'static str,
    /// Its value; higher means more in-distribution.
    pub value: f64,
    /// Accepted at or above; `None` until calibrated.
    pub threshold: Option<f64>,
    /// Whether the value is below the threshold; `None` until calibrated.
    pub is_outlier: Option<bool>,
    /// The negative labels most similar to the image, the most similar first; empty if the score
    /// reads none.
    pub nearest_negatives: Vec<String>,
}

/// What is known of one image: L2-normalized features of one model, of width d.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// The image, [d].
    pub feature: &'a [f32],
    /// Its patches, [N, d]; empty if the score reads none.
    pub patches: &'a [f32],
    /// The class names as they answered for this image, [K, d].
    pub texts: &'a [f32],
}

/// A score that is ready for one class list and one way of tuning: settings resolved, negative labels
/// encoded, threshold checked.
#[derive(Debug, Clone)]
pub struct Detector {
    score: &'static Score,
    parameters: ScoreParameters,
    negatives: Option<Arc<Negatives>>,
    /// The places of the negatives that take part.
    dealt: Vec<usize>,
    key: CalibrationKey,
    calibration: Option<Arc<Calibration>>,
}

impl Detector {
    /// The score `ood` for images that are classified among `classes` with `tuning`. Negative labels
    /// are mined here if the score reads them and the classes have none yet.
    ///
    /// # Errors
    /// `options/invalid` for an unknown score, for parameters outside their range, and for a score
    /// on learned contexts without such; `calibration/mismatch`; those of
    /// [`ClassSet::mine_negatives`].
    pub async fn new(
        model: &Model,
        classes: &ClassSet,
        tuning: Option<&Tuning>,
        ood: &OodOptions,
        progress: &dyn Progress,
    ) -> Result<Self> {
        let (score, parameters) = resolve(ood, f64::from(model.clip.logit_scale))?;
        let negatives = required_negatives(score, model, classes, progress).await?;
        // The key holds the negatives that take part: a threshold that was fitted with others is
        // refused, and one that was fitted with all of them holds.
        let (dealt, negatives_sha256) = match &negatives {
            Some(negatives) => {
                let (dealt, sha256) = negatives.dealt(parameters.groups);
                (dealt, Some(sha256))
            }
            None => (Vec::new(), None),
        };
        let key = CalibrationKey {
            model_sha256: model.report.model_sha256.clone(),
            quantization: model.report.quantization.name().to_owned(),
            prompt_sha256: classes.prompt_sha256.clone(),
            classes_sha256: classes.sha256().to_owned(),
            negatives_sha256,
            score: score.name.to_owned(),
            parameters,
            tuning: tuning.map_or_else(|| "none".to_owned(), ToString::to_string),
        };
        let detector = Self {
            score,
            parameters,
            negatives,
            dealt,
            key,
            calibration: None,
        };
        match &ood.calibration {
            Some(calibration) => detector.with_threshold(calibration.clone()),
            None => Ok(detector),
        }
    }

    /// The same with a threshold.
    ///
    /// # Errors
    /// `calibration/mismatch` if it was fitted for another use.
    pub fn with_threshold(self, calibration: Arc<Calibration>) -> Result<Self> {
        calibration.matches(&self.key)?;
        Ok(Self {
            calibration: Some(calibration),
            ..self
        })
    }

    /// Everything that a threshold for this use depends on.
    pub fn key(&self) -> &CalibrationKey {
        &self.key
    }

    /// Whether [`judge`](Self::judge) reads [`Seen::patches`].
    pub fn needs_patches(&self) -> bool {
        self.score.needs.patches
    }

    /// The score's name.
    pub fn name(&self) -> &'static str {
        self.score.name
    }

    /// The calibrated threshold.
    pub fn threshold(&self) -> Option<f64> {
        self.calibration.as_ref().map(|c| c.threshold)
    }

    /// The parameters that the score reads; the others have their unused value.
    pub fn parameters(&self) -> ScoreParameters {
        self.parameters
    }

    /// Scores one image.
    ///
    /// # Errors
    /// `labels/empty`, `options/invalid` if patches are missing, `engine/not-finite`,
    /// `engine/internal` if the widths differ.
    pub fn judge(&self, seen: Seen<'_>) -> Result<Verdict> {
        let d = seen.feature.len();
        let image = MatrixView::new(seen.feature, d)?;
        let texts = MatrixView::new(seen.texts, d)?;
        let classes = cosines(image, texts)?;
        let negatives = match &self.negatives {
            Some(negatives) => cosines(image, MatrixView::new(negatives.features.as_slice(), d)?)?,
            None => Vec::new(),
        };
        let patches = if self.needs_patches() {
            cosines(MatrixView::new(seen.patches, d)?, texts)?
        } else {
            Vec::new()
        };
        let dealt: Vec<f64> = self.dealt.iter().map(|i| negatives[*i]).collect();
        let input = ScoreInput {
            classes: &classes,
            negatives: &dealt,
            patches: &patches,
        };
        let value = self.score.score(&input, &self.parameters)?;
        let is_outlier = match &self.calibration {
            Some(calibration) => Some(calibration.is_outlier(value)?),
            None => None,
        };
        let labels = self.negatives.iter().flat_map(|n| {
            nearest(&negatives, HINTS)
                .into_iter()
                .map(|index| n.labels[index].clone())
        });
        Ok(Verdict {
            score: self.score.name,
            value,
            threshold: self.threshold(),
            is_outlier,
            nearest_negatives: labels.collect(),
        })
    }
}

/// The score that `ood` names, with the caller's parameters over its defaults for this model.
fn resolve(ood: &OodOptions, logit_scale: f64) -> Result<(&'static Score, ScoreParameters)> {
    let score = by_name(&ood.score)?;
    let mut parameters = score.defaults(logit_scale);
    if let Some(tau) = ood.tau {
        parameters.tau = tau;
    }
    if let Some(groups) = ood.groups {
        parameters.groups = groups;
    }
    if let Some(weight) = ood.local_weight {
        parameters.local_weight = weight;
    }
    check_parameters(&parameters)?;
    Ok((score, score.canonical(&parameters)))
}

/// The negative labels that `score` reads, if any.
async fn required_negatives(
    score: &Score,
    model: &Model,
    classes: &ClassSet,
    progress: &dyn Progress,
) -> Result<Option<Arc<Negatives>>> {
    if score.needs.learned_contexts && classes.head.negatives().is_none() {
        return Err(Error::new(
            Kind::OptionInvalid,
            format!(
                "The score {} needs a prompt that was trained with negative labels: train one \
                 with the recipe lapt, or choose neglabel.",
                score.name
            ),
        ));
    }
    if !score.needs.negatives {
        return Ok(None);
    }
    classes.negatives_or_mined(model, progress).await.map(Some)
}
