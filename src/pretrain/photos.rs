//! Labeled photos of the split `train`, decoded, in memory.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::held_out::HeldOut;
use crate::dataset::{DataSet, Item, Limits};
use crate::error::{Error, Kind, Result};
use crate::image::views::scale_down;
use crate::image::{self, Rgb8, decode};

/// The one split that training reads.
pub const TRAIN_SPLIT: &str = "train";

/// One photo in so many is kept for validation.
const VALIDATION: usize = 50;

/// A photo and what it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Photo {
    /// The pixels.
    pub image: Rgb8,
    /// Which of the names.
    pub class: usize,
}

/// What training and validation draw from.
#[derive(Debug, Clone, Default)]
pub struct Photos {
    /// Class names as the folders have them, sorted.
    pub names: Vec<String>,
    /// To train on, in the order of the files.
    pub train: Vec<Photo>,
    /// Every fiftieth photo, never trained on.
    pub validation: Vec<Photo>,
    /// Photos of held-out names, which were not decoded.
    pub left_out: usize,
    /// Files that could not be used, and why.
    pub failures: Vec<(String, Error)>,
}

/// Receives each usable photo: its data set's number, its entry, its bytes and its pixels.
pub type TakePhoto<'a> = dyn FnMut(usize, &Item, Vec<u8>, Rgb8) -> Result<()> + 'a;

/// What a pass over data sets left aside.
#[derive(Debug, Default)]
pub struct Passed {
    /// Photos of held-out names.
    pub left_out: usize,
    /// Files that could not be used, and why.
    pub failures: Vec<(String, Error)>,
}

/// Shows the photos of the split `train` of every data set to `take`, without those of held-out
/// names. A broken file is noted and passed over.
///
/// # Errors
/// Those of [`DataSet`]; `data/unknown-split` for a data set without a split `train`, because what
/// is there to be measured on is not for training; whatever `take` returns.
pub fn each(paths: &[PathBuf], held_out: &HeldOut, take: &mut TakePhoto<'_>) -> Result<Passed> {
    let mut passed = Passed::default();
    for (number, path) in paths.iter().enumerate() {
        let data = DataSet::open(path, &Limits::default())?;
        let items = data.select(Some(TRAIN_SPLIT))?;
        let (out, wanted): (Vec<&Item>, Vec<&Item>) = items
            .into_iter()
            .partition(|item| held_out.holds(&item.class));
        passed.left_out += out.len();
        data.read(&wanted, &mut |item, bytes| {
            let decoded = bytes.and_then(|bytes| {
                let image = decode(&bytes, &image::Limits::default())?;
                Ok((bytes, image))
            });
            match decoded {
                Ok((bytes, image)) => take(number, item, bytes, image),
                Err(error) => {
                    passed.failures.push((item.path.clone(), error));
                    Ok(())
                }
            }
        })?;
    }
    Ok(passed)
}

impl Photos {
    /// Reads the data sets; photos are scaled down to a shorter side of `edge`.
    ///
    /// # Errors
    /// As [`each`]; `data/empty` if fewer than two classes have photos.
    pub fn load(paths: &[PathBuf], held_out: &HeldOut, edge: u32) -> Result<Self> {
        let mut found: Vec<(String, Rgb8)> = Vec::new();
        let passed = each(paths, held_out, &mut |_, item, _, image| {
            let image = if image.width.min(image.height) > edge {
                scale_down(&image, edge)?
            } else {
                image
            };
            found.push((item.class.clone(), image));
            Ok(())
        })?;
        let names: BTreeSet<&String> = found.iter().map(|(name, _)| name).collect();
        let names: Vec<String> = names.into_iter().cloned().collect();
        if names.len() < 2 {
            return Err(Error::new(
                Kind::DataEmpty,
                "There are photos of fewer than two classes to train on.",
            ));
        }
        let mut photos = Self {
            left_out: passed.left_out,
            failures: passed.failures,
            ..Self::default()
        };
        for (index, (name, image)) in found.into_iter().enumerate() {
            let class = names.binary_search(&name).unwrap_or_default();
            let photo = Photo { image, class };
            if index % VALIDATION == VALIDATION - 1 {
                photos.validation.push(photo);
            } else {
                photos.train.push(photo);
            }
        }
        photos.names = names;
        Ok(photos)
    }
}
