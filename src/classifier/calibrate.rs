//! A threshold from the user's own images, scored exactly as later images will be.

use super::{Classes, Classifier, ClassifyOptions, OodOptions};
use crate::error::{Error, Kind, Result};
use crate::ood::threshold::{Calibration, CalibrationKey};
use crate::progress::Progress;

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
    model: &'a Classifier,
    classes: &'a Classes,
    options: ClassifyOptions,
    key: CalibrationKey,
    scores: Vec<f64>,
    failures: Vec<(usize, Error)>,
}

impl<'a> Calibrator<'a> {
    /// For images classified with `options`; an older threshold in them is left aside, and the
    /// default score is taken where they switch scoring off. Negative labels are mined here where
    /// the score reads them.
    ///
    /// # Errors
    /// Those of [`Classifier::calibration_key`], `options/invalid` for variants or a gallery.
    pub async fn new(
        model: &'a Classifier,
        classes: &'a Classes,
        options: &ClassifyOptions,
        progress: &dyn Progress,
    ) -> Result<Self> {
        if options.variants.is_some() || options.gallery.is_some() {
            return Err(Error::new(
                Kind::OptionInvalid,
                "Variants and a gallery belong to single answers; a threshold is fitted without them.",
            ));
        }
        let ood = OodOptions {
            calibration: None,
            ..options.ood.clone().unwrap_or_default()
        };
        let key = model
            .calibration_key(classes, options, &ood, progress)
            .await?;
        Ok(Self {
            model,
            classes,
            options: ClassifyOptions {
                ood: Some(ood),
                ..options.clone()
            },
            key,
            scores: Vec::new(),
            failures: Vec::new(),
        })
    }

    /// Scores one image file. One that cannot be decoded or scored is counted as a failure.
    ///
    /// # Errors
    /// Those of [`Classifier::classify`] that do not lie in the image.
    pub async fn add(&mut self, bytes: &[u8], progress: &dyn Progress) -> Result<()> {
        let found = self
            .model
            .classify(self.classes, bytes, &self.options, progress)
            .await;
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
            calibration: Calibration::fit(self.key, &self.scores)?,
            scores: self.scores,
            failures: self.failures,
        })
    }
}

impl Classifier {
    /// The threshold that accepts 95 % of images like these, for use with the same `classes` and
    /// `options`. An image that cannot be decoded or scored is reported and left out.
    ///
    /// # Errors
    /// `calibration/too-few`, and those of [`classify`](Self::classify) that do not lie in an image.
    pub async fn calibrate<B: AsRef<[u8]>>(
        &self,
        classes: &Classes,
        images: &[B],
        options: &ClassifyOptions,
        progress: &dyn Progress,
    ) -> Result<Calibrated> {
        let mut calibrator = Calibrator::new(self, classes, options, progress).await?;
        for (done, image) in images.iter().enumerate() {
            progress.step("calibrate", done, images.len()).await?;
            calibrator.add(image.as_ref(), progress).await?;
        }
        progress
            .step("calibrate", images.len(), images.len())
            .await?;
        calibrator.finish()
    }
}

/// Whether another image may still work.
fn lies_in_the_image(error: &Error) -> bool {
    error.code().starts_with("image/") || matches!(error.kind(), Kind::NotFinite | Kind::Io)
}
