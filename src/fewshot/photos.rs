//! From image files to cached features: every photo in its plain view and a few random crops.

use half::f16;

use crate::error::{Error, Kind, Result};
use crate::image::views::{Corruption, CropRange, MAX_VIEWS, ViewMaker, ViewPlan};
use crate::image::{Limits, Rgb8, decode};
use crate::model::Model;
use crate::prompt_learning::descent::SMALLEST_CROP;
use crate::prompt_learning::examples::Examples;
use crate::prompt_learning::parameters::Crops;
use crate::prompt_learning::recipe::{ConfiguredRecipe, Cost};
use crate::rng::Rng;

/// Views of a photo to learn from if nobody says how many, the plain one among them.
pub const DEFAULT_CROPS: usize = 8;

/// How many views of a photo a recipe learns from if nobody says.
pub trait DefaultViews {
    /// The plain one and the crops.
    fn default_views(&self) -> usize;
}

impl DefaultViews for ConfiguredRecipe {
    fn default_views(&self) -> usize {
        match self.crops().and_then(|crops| crops.epochs) {
            Some(epochs) => (1 + epochs).min(MAX_VIEWS),
            None if self.info.kind == Cost::Hard => 1,
            None => DEFAULT_CROPS,
        }
    }
}

/// Encodes photos in a fixed number of views each.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ViewEncoder {
    views: usize,
    range: CropRange,
    seed: u64,
    corruption: Option<Corruption>,
    local_features: bool,
}

/// The unit features of one photo.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Encoded {
    /// Of every view, [views, d].
    pub views: Vec<f32>,
    /// Of the regions of every view, [views, P, d]; empty if they were not asked for.
    pub regions: Vec<f32>,
}

impl ViewEncoder {
    /// `views` views of every photo: the plain one and random crops of at least 60 % of its area,
    /// half of them mirrored. Photo number i has the same crops whatever photos come before it.
    /// `corruption` is applied to the photo first.
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
            range: CropRange {
                area: (SMALLEST_CROP, 1.0),
                ..CropRange::default()
            },
            seed,
            corruption,
            local_features: false,
        })
    }

    /// The same with the crops that a recipe asks for, if it does.
    #[must_use]
    pub fn with_crops(mut self, crops: Option<Crops>) -> Self {
        if let Some(Crops { area, filter, .. }) = crops {
            self.range.area.0 = area;
            self.range.filter = filter;
        }
        self
    }

    /// The same with the features of regions too, if `wanted`.
    #[must_use]
    pub fn with_local_features(self, wanted: bool) -> Self {
        Self {
            local_features: wanted,
            ..self
        }
    }

    /// Unit features of photo `number`, whose file is `bytes`. The inner error says why
    /// the file is no usable image.
    ///
    /// # Errors
    /// `engine/not-finite`, `gpu/lost`.
    pub async fn encode(
        &self,
        model: &Model,
        number: usize,
        bytes: &[u8],
    ) -> Result<Result<Encoded>> {
        let photo = match self.open(bytes) {
            Ok(photo) => photo,
            Err(error) => return Ok(Err(error)),
        };
        let plan = ViewPlan {
            range: self.range,
            ..ViewPlan::tpt(self.views, false)
        };
        let seed = Rng::derive(self.seed, number as u64).bits();
        let maker = match ViewMaker::new(&photo, &model.preprocess, &plan, seed) {
            Ok(maker) => maker,
            Err(error) => return Ok(Err(error)),
        };
        let (views, regions) = if self.local_features {
            model.view_regions(&maker).await?
        } else {
            (model.view_features(&maker, &()).await?.features, Vec::new())
        };
        Ok(Ok(Encoded { views, regions }))
    }

    fn open(&self, bytes: &[u8]) -> Result<Rgb8> {
        let photo = decode(bytes, &Limits::default())?;
        match self.corruption {
            Some(corruption) => corruption.apply(&photo, self.seed),
            None => Ok(photo),
        }
    }
}

/// Builds [`Examples`] from photos that arrive one by one.
pub struct ExampleBuilder {
    encoder: ViewEncoder,
    classes: usize,
    features: Vec<f32>,
    local_features: Vec<f16>,
    labels: Vec<usize>,
    /// The number of the photo behind each example.
    numbers: Vec<usize>,
    failures: Vec<(usize, Error)>,
}

impl ExampleBuilder {
    /// For photos of `classes` classes.
    pub fn new(classes: usize, encoder: ViewEncoder) -> Self {
        Self {
            encoder,
            classes,
            features: Vec::new(),
            local_features: Vec::new(),
            labels: Vec::new(),
            numbers: Vec::new(),
            failures: Vec::new(),
        }
    }

    /// How photos are encoded.
    pub fn encoder(&self) -> ViewEncoder {
        self.encoder
    }

    /// Photos pushed so far, usable or not; also the number of the next one.
    pub fn count(&self) -> usize {
        self.labels.len() + self.failures.len()
    }

    /// Encodes and pushes the next photo, whose class is `label`. A file that is no usable image
    /// becomes a failure and does not stop the others.
    ///
    /// # Errors
    /// `engine/not-finite`, `gpu/lost`.
    pub async fn add(&mut self, model: &Model, bytes: &[u8], label: usize) -> Result<()> {
        let encoded = self.encoder.encode(model, self.count(), bytes).await?;
        self.push(encoded, label);
        Ok(())
    }

    /// Appends the features of the next photo, or why it cannot be used.
    pub fn push(&mut self, encoded: Result<Encoded>, label: usize) {
        let number = self.count();
        match encoded {
            Ok(Encoded { views, regions }) => {
                self.features.extend(views);
                let halves = regions.into_iter().map(f16::from_f32);
                self.local_features.extend(halves);
                self.labels.push(label);
                self.numbers.push(number);
            }
            Err(error) => self.failures.push((number, error)),
        }
    }

    /// Usable photos.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether no photo was usable.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The number of each usable photo.
    pub fn numbers(&self) -> &[usize] {
        &self.numbers
    }

    /// The number of each photo that is not usable, and why.
    pub fn failures(&self) -> &[(usize, Error)] {
        &self.failures
    }

    /// The examples.
    ///
    /// # Errors
    /// `data/empty` if no photo was usable.
    pub fn finish(self) -> Result<Examples> {
        let dim = self.features.len() / (self.labels.len() * self.encoder.views).max(1);
        Examples::new(
            self.features,
            self.labels,
            self.encoder.views,
            dim,
            self.classes,
        )?
        .with_local_features(self.local_features)
    }
}
