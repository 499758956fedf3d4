//! Image files that the caller hands over, as photos to learn from.

use std::collections::BTreeMap;

use js_sys::Uint8Array;
use wasm_bindgen_futures::JsFuture;
use web_sys::Blob;

use super::browser_decoder::readable;
use crate::error::{Error, FailedItem, Kind, Result};
use crate::fewshot::photos::ExampleBuilder;
use crate::fewshot::source::encode_in_turn;
use crate::fewshot::{PhotoSet, PhotoSource};
use crate::image::Limits;
use crate::model::Model;
use crate::progress::Progress;

/// The label of a photo that shows none of the classes.
const NO_CLASS: u32 = u32::MAX;

/// The label of a photo that nobody has labeled.
const NO_LABEL: u32 = u32::MAX - 1;

/// The bytes of an image file, as the engine reads it.
///
/// # Errors
/// `image/too-large`, `io/failed`, and those of [`readable`].
pub async fn bytes_of(blob: &Blob) -> Result<Vec<u8>> {
    let limit = Limits::default().max_bytes;
    if blob.size() > limit as f64 {
        return Err(Error::new(
            Kind::ImageTooLarge,
            format!("The file is larger than {limit} bytes. Choose a smaller one."),
        ));
    }
    match JsFuture::from(blob.array_buffer()).await {
        Ok(buffer) => Ok(readable(Uint8Array::new(&buffer).to_vec()).await?.bytes),
        Err(_) => Err(Error::new(Kind::Io, "The file could not be read.")),
    }
}

/// Photos of one set.
#[derive(Default)]
struct BlobSet {
    files: Vec<Blob>,
    labels: Vec<usize>,
    /// The position of each in the list that the caller gave.
    indices: Vec<usize>,
}

/// Files in memory or on disk, read one at a time.
pub struct BlobPhotos(BTreeMap<PhotoSet, BlobSet>);

impl BlobPhotos {
    /// Photos to learn from. A label is the position of the class in its list; 2³² − 1 means none of
    /// the classes, 2³² − 2 that nobody knows.
    pub fn labeled(images: Vec<Blob>, labels: Vec<u32>) -> Self {
        Self::new(
            images
                .into_iter()
                .zip(labels)
                .map(|(image, label)| match label {
                    NO_CLASS => (PhotoSet::Outliers, image, 0),
                    NO_LABEL => (PhotoSet::Unlabeled, image, 0),
                    label => (PhotoSet::Classes, image, label as usize),
                }),
        )
    }

    /// Photos without labels.
    pub fn unlabeled(images: Vec<Blob>) -> Self {
        let images = images.into_iter();
        Self::new(images.map(|image| (PhotoSet::Unlabeled, image, 0)))
    }

    fn new(photos: impl Iterator<Item = (PhotoSet, Blob, usize)>) -> Self {
        let mut sets: BTreeMap<PhotoSet, BlobSet> = BTreeMap::new();
        for (index, (set, file, label)) in photos.enumerate() {
            let set = sets.entry(set).or_default();
            set.files.push(file);
            set.labels.push(label);
            set.indices.push(index);
        }
        Self(sets)
    }
}

impl PhotoSource for BlobPhotos {
    fn labels(&self, set: PhotoSet) -> Option<Vec<usize>> {
        Some(self.0.get(&set)?.labels.clone())
    }

    fn item(&self, set: PhotoSet, number: usize) -> FailedItem {
        FailedItem::Index(self.0[&set].indices[number])
    }

    /// The report lists the other photos that could not be used.
    fn requires(&self, set: PhotoSet) -> bool {
        set == PhotoSet::Classes
    }

    async fn encode(
        &self,
        set: PhotoSet,
        model: &Model,
        photos: &mut ExampleBuilder,
        progress: &dyn Progress,
    ) -> Result<()> {
        let Some(set) = self.0.get(&set) else {
            return Ok(());
        };
        let read = async |number: usize| bytes_of(&set.files[number]).await;
        encode_in_turn(&set.labels, read, model, photos, progress).await
    }
}
