//! From image files to cached features: every photo in its plain view and a few random crops.

use super::examples::Examples;
use crate::classifier::{Classifier, Timings};
use crate::error::{Error, Kind, Result};
use crate::image::views::{Corruption, CropRange, MAX_VIEWS, ViewMaker, ViewPlan};
use crate::image::{Limits, Rgb8, decode};
use crate::rng::Rng;

/// Crops of a photo where nobody says how many, the plain one among them.
pub const DEFAULT_CROPS: usize = 8;

/// The smallest share of a photo's area in a random crop. CoOp's 0.08 leaves a model of small
/// pictures a few pixels of the object, and magnifies whatever has spoiled the photo.
const SMALLEST_CROP: f64 = 0.6;

/// How a photo becomes features.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ViewEncoder {
    views: usize,
    seed: u64,
    corruption: Option<Corruption>,
}

impl ViewEncoder {
    /// `views` views of every photo: the plain one and random crops of at least 60 % of its area,
    /// half of them mirrored. Photo number i has the same crops whatever stands before it.
    /// `corruption` is done to it first.
    ///
    /// # Errors
    /// `options/invalid` for no view, or more than a photo may have.
    pub fn new(views: usize, seed: u64, corruption: Option<Corruption>) -> Result<Self> {
        if !(1..=MAX_VIEWS).contains(&views) {
            return Err(Error::new(
                Kind::OptionInvalid,
                format!("Each photo has 1 to {MAX_VIEWS} crops."),
            ));
        }
        Ok(Self {
            views,
            seed,
            corruption,
        })
    }

    /// Unit features [views, d] of the photo in the file `bytes`, which comes as number `number`; or
    /// why it is no usable image.
    ///
    /// # Errors
    /// `engine/not-finite`, `gpu/lost`.
    pub async fn features(
        &self,
        model: &Classifier,
        number: usize,
        bytes: &[u8],
    ) -> Result<Result<Vec<f32>>> {
        let photo = match self.open(bytes) {
            Ok(photo) => photo,
            Err(error) => return Ok(Err(error)),
        };
        let range = CropRange {
            area: (SMALLEST_CROP, 1.0),
            ..CropRange::default()
        };
        let plan = ViewPlan {
            range,
            ..ViewPlan::tpt(self.views, false)
        };
        let seed = Rng::derive(self.seed, number as u64).bits();
        let maker = match ViewMaker::new(&photo, &model.preprocess, &plan, seed) {
            Ok(maker) => maker,
            Err(error) => return Ok(Err(error)),
        };
        let mut timings = Timings::default();
        let features = model.view_features(&maker, &mut timings, &()).await?;
        Ok(Ok(features))
    }

    fn open(&self, bytes: &[u8]) -> Result<Rgb8> {
        let photo = decode(bytes, &Limits::default())?;
        match self.corruption {
            Some(corruption) => corruption.apply(&photo, self.seed),
            None => Ok(photo),
        }
    }
}

/// Takes photos in, one by one.
pub struct ExampleBuilder {
    look: ViewEncoder,
    features: Vec<f32>,
    labels: Vec<usize>,
    classes: usize,
    failures: Vec<(usize, Error)>,
    taken: usize,
}

impl ExampleBuilder {
    /// For photos of `classes` classes that are looked at like this.
    pub fn new(classes: usize, look: ViewEncoder) -> Self {
        Self {
            look,
            features: Vec::new(),
            labels: Vec::new(),
            classes,
            failures: Vec::new(),
            taken: 0,
        }
    }

    /// Encodes the next photo, whose class is `label`. A file that is no usable image is set aside
    /// with its error and the others go on.
    ///
    /// # Errors
    /// `engine/not-finite`, `gpu/lost`.
    pub async fn add(&mut self, model: &Classifier, bytes: &[u8], label: usize) -> Result<()> {
        let found = self.look.features(model, self.taken, bytes).await?;
        self.keep(found, label);
        Ok(())
    }

    /// Takes the features of the next photo, or why it cannot be used.
    pub fn keep(&mut self, found: Result<Vec<f32>>, label: usize) {
        match found {
            Ok(features) => {
                self.features.extend(features);
                self.labels.push(label);
            }
            Err(error) => self.failures.push((self.taken, error)),
        }
        self.taken += 1;
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
        let dim = self.features.len() / (self.labels.len() * self.look.views).max(1);
        Examples::new(
            self.features,
            self.labels,
            self.look.views,
            dim,
            self.classes,
        )
    }
}
