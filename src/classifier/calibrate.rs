//! A threshold from the user's own images, scored exactly as later images will be.

use super::{Answerer, ClassSet, ClassifyOptions, Detector, OodOptions};
use crate::error::{Error, Kind, Result};
use crate::model::Model;
use crate::ood::threshold::Calibration;
use crate::progress::Progress;
use crate::tpt::Tuning;

/// A fitted threshold and what it was fitted on.
#[derive(Debug, Clone)]
pub struct Calibrated {
    /// The threshold with everything that it holds for.
    pub calibration: Calibration,
    /// The score of every image that could be scored, in the order given.
    pub scores: Vec<f64>,
    /// Images that could not be scored, by their place in the order given.
    pub failures: Vec<(usize, Error)>,
}

/// Takes images one by one.
pub struct Calibrator<'a> {
    answerer: &'a Answerer<'a>,
    detector: &'a Detector,
    scores: Vec<f64>,
    failures: Vec<(usize, Error)>,
}

impl<'a> Calibrator<'a> {
    /// For images that `answerer` scores. A threshold that it has does not count.
    ///
    /// # Errors
    /// `options/invalid` without a score, and for variants or a gallery.
    pub fn new(answerer: &'a Answerer<'a>) -> Result<Self> {
        if answerer.tuning().is_some_and(Tuning::has_extra_images) {
            return Err(Error::new(
                Kind::OptionInvalid,
                "Variants and a gallery belong to single answers; a threshold is fitted without them.",
            ));
        }
        let detector = answerer.detector().ok_or_else(|| {
            Error::new(
                Kind::OptionInvalid,
                "A threshold needs a score; do not switch it off.",
            )
        })?;
        Ok(Self {
            answerer,
            detector,
            scores: Vec::new(),
            failures: Vec::new(),
        })
    }

    /// Scores one image file. One that cannot be decoded or scored is counted as a failure.
    ///
    /// # Errors
    /// Those of [`Answerer::classify`] that do not lie in the image.
    pub async fn add(&mut self, bytes: &[u8], progress: &dyn Progress) -> Result<()> {
        let found = self.answerer.classify(bytes, progress).await;
        match found.map(|answer| answer.ood) {
            Ok(Some(ood)) => self.put(Ok(ood.value)),
            Ok(None) => Err(Error::new(Kind::Internal, "An image has no score.")),
            Err(error) => self.put(Err(error)),
        }
    }

    /// Takes the score of one image that was scored elsewhere with the same options, or why it has
    /// none.
    ///
    /// # Errors
    /// The given one if it does not lie in the image.
    pub fn put(&mut self, score: Result<f64>) -> Result<()> {
        match score {
            Ok(value) => self.scores.push(value),
            Err(error) if lies_in_the_image(&error) => self
                .failures
                .push((self.scores.len() + self.failures.len(), error)),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// The threshold.
    ///
    /// # Errors
    /// `calibration/too-few`, `options/invalid` for more than a million images.
    pub fn finish(self) -> Result<Calibrated> {
        Ok(Calibrated {
            calibration: Calibration::fit(self.detector.key().clone(), &self.scores)?,
            scores: self.scores,
            failures: self.failures,
        })
    }
}

/// The threshold that accepts 95 % of images like these, for use with the same `classes` and
/// `options`. An image that cannot be decoded or scored is reported and left out.
///
/// # Errors
/// `calibration/too-few`, and those of [`Answerer::classify`] that do not lie in an image.
pub async fn calibrate<B: AsRef<[u8]>>(
    model: &Model,
    classes: &ClassSet,
    images: &[B],
    options: &ClassifyOptions,
    progress: &dyn Progress,
) -> Result<Calibrated> {
    let options = options.for_calibration();
    let answerer = Answerer::new(model, classes, &options, progress).await?;
    let mut calibrator = Calibrator::new(&answerer)?;
    for (done, image) in images.iter().enumerate() {
        progress.step("calibrate", done, images.len()).await?;
        calibrator.add(image.as_ref(), progress).await?;
    }
    progress
        .step("calibrate", images.len(), images.len())
        .await?;
    calibrator.finish()
}

impl ClassifyOptions {
    /// The same without a threshold and without maps, and with the default score if it is switched
    /// off.
    #[must_use]
    pub fn for_calibration(&self) -> Self {
        Self {
            tuning: self.tuning.clone(),
            ood: Some(OodOptions {
                calibration: None,
                ..self.ood.clone().unwrap_or_default()
            }),
            heatmap: None,
        }
    }
}

/// Whether another image may still work.
fn lies_in_the_image(error: &Error) -> bool {
    error.code().starts_with("image/") || matches!(error.kind(), Kind::NotFinite | Kind::Io)
}
