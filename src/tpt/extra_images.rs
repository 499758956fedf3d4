//! Pictures beside the photo that is asked about.

use std::sync::Arc;

use crate::error::{Error, Kind, Result};
use crate::image::views::MAX_VIEWS;
use crate::image::{Limits, Preprocess, Rgb8, decode, resize_crop};

/// Pictures for the views of a photo: variants made from it, each of which becomes one view by plain
/// preprocessing, as DiffTPT takes those of its diffusion model; or a gallery of other photos, whose
/// style strong views borrow.
#[derive(Debug, Clone, Default)]
pub struct ExtraImages {
    /// At the model's input size.
    pub(super) pictures: Vec<Rgb8>,
    failures: Vec<(usize, Error)>,
}

impl ExtraImages {
    /// No picture yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one image file, for a model with this `preprocess`. One that is no usable image is set
    /// aside with its error and the others go on.
    ///
    /// # Errors
    /// `options/invalid` beyond the most views that there may be.
    pub fn add(&mut self, preprocess: &Preprocess, file: Result<Vec<u8>>) -> Result<()> {
        let place = self.pictures.len() + self.failures.len();
        if place >= MAX_VIEWS {
            return Err(Error::new(
                Kind::OptionInvalid,
                format!("At most {MAX_VIEWS} pictures may be given with a photo."),
            ));
        }
        let picture = file
            .and_then(|bytes| decode(&bytes, &Limits::default()))
            .and_then(|image| resize_crop(&image, preprocess));
        match picture {
            Ok(picture) => self.pictures.push(picture),
            Err(error) => self.failures.push((place, error)),
        }
        Ok(())
    }

    /// The pictures for [`StrongViews`](super::settings::StrongViews); `None` if none was given.
    ///
    /// # Errors
    /// `data/empty` if files were given and none is usable.
    pub fn finish(self) -> Result<Option<Arc<Self>>> {
        match self.failures.first() {
            Some((_, first)) if self.pictures.is_empty() => Err(Error::new(
                Kind::DataEmpty,
                format!(
                    "None of the {} pictures can be read; the first: {}",
                    self.failures.len(),
                    first.message()
                ),
            )),
            None if self.pictures.is_empty() => Ok(None),
            _ => Ok(Some(Arc::new(self))),
        }
    }

    /// Usable ones.
    pub fn len(&self) -> usize {
        self.pictures.len()
    }

    /// Whether none is usable.
    pub fn is_empty(&self) -> bool {
        self.pictures.is_empty()
    }

    /// Files that were set aside, by their place in the order given, and why.
    pub fn failures(&self) -> &[(usize, Error)] {
        &self.failures
    }
}
