//! From image files to cached features: every photo in its plain view and a few random crops.

use super::examples::Examples;
use crate::classifier::{Classifier, Timings};
use crate::error::{Error, Kind, Result};
use crate::image::views::{Corruption, MAX_VIEWS, ViewMaker, ViewPlan};
use crate::image::{Limits, Rgb8, decode};
use crate::rng::Rng;

/// Crops of a photo where nobody says how many, the plain one among them.
pub const DEFAULT_CROPS: usize = 8;

/// Takes photos in, one by one.
pub struct Photos {
    features: Vec<f32>,
    labels: Vec<usize>,
    classes: usize,
    views: usize,
    seed: u64,
    corruption: Option<Corruption>,
    failures: Vec<(usize, Error)>,
    taken: usize,
}

impl Photos {
    /// For photos of `classes` classes, each in `views` views: the plain one and random crops, as
    /// CoOp trains on. Photo number i has the same crops whatever stands before it.
    ///
    /// # Errors
    /// `options/invalid` for no view, or more than a photo may have.
    pub fn new(classes: usize, views: usize, seed: u64) -> Result<Self> {
        if !(1..=MAX_VIEWS).contains(&views) {
            return Err(Error::new(
                Kind::OptionInvalid,
                format!("Each photo has 1 to {MAX_VIEWS} crops."),
            ));
        }
        Ok(Self {
            features: Vec::new(),
            labels: Vec::new(),
            classes,
            views,
            seed,
            corruption: None,
            failures: Vec::new(),
            taken: 0,
        })
    }

    /// Does this to every photo before it is looked at.
    #[must_use]
    pub fn corrupted(mut self, corruption: Option<Corruption>) -> Self {
        self.corruption = corruption;
        self
    }

    /// Encodes the next photo, whose class is `label`. A file that is no usable image is set aside
    /// with its error and the others go on.
    ///
    /// # Errors
    /// `engine/not-finite`, `gpu/lost`.
    pub async fn add(&mut self, model: &Classifier, bytes: &[u8], label: usize) -> Result<()> {
        let photo = decode(bytes, &Limits::default()).and_then(|photo| match self.corruption {
            Some(corruption) => corruption.apply(&photo, self.seed),
            None => Ok(photo),
        });
        match photo {
            Ok(photo) => self.add_decoded(model, &photo, label).await,
            Err(error) => {
                self.set_aside(error);
                Ok(())
            }
        }
    }

    /// Counts the next photo as one that cannot be used.
    pub fn set_aside(&mut self, error: Error) {
        self.failures.push((self.taken, error));
        self.taken += 1;
    }

    /// As [`add`](Self::add), for a photo that is decoded.
    ///
    /// # Errors
    /// `engine/not-finite`, `gpu/lost`.
    pub async fn add_decoded(
        &mut self,
        model: &Classifier,
        photo: &Rgb8,
        label: usize,
    ) -> Result<()> {
        let number = self.taken;
        self.taken += 1;
        let plan = ViewPlan::tpt(self.views, false);
        let seed = Rng::derive(self.seed, number as u64).bits();
        let maker = match ViewMaker::new(photo, &model.preprocess, &plan, seed) {
            Ok(maker) => maker,
            Err(error) => {
                self.failures.push((number, error));
                return Ok(());
            }
        };
        let features = model
            .view_features(&maker, &mut Timings::default(), &())
            .await?;
        self.features.extend(features);
        self.labels.push(label);
        Ok(())
    }

    /// Photos that were usable.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether none was usable.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Photos that were not, by the order in which they came, and why.
    pub fn failures(&self) -> &[(usize, Error)] {
        &self.failures
    }

    /// What to learn from.
    ///
    /// # Errors
    /// `data/empty` where no photo was usable.
    pub fn finish(self) -> Result<Examples> {
        let dim = self.features.len() / (self.labels.len() * self.views).max(1);
        Examples::new(self.features, self.labels, self.views, dim, self.classes)
    }
}
