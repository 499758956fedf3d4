//! Photos of a data set, encoded on every core.

use std::collections::{BTreeMap, BTreeSet};

use pollster::block_on;

use super::photos::{ExampleBuilder, ViewEncoder};
use super::source::{PhotoSet, PhotoSource, failures, finish};
use crate::dataset::{DataSet, Item, TEST_SPLIT, pipeline, workers};
use crate::error::{FailedItem, Failure, Result};
use crate::evaluate::{Options, plan};
use crate::model::Model;
use crate::progress::Progress;
use crate::prompt_learning::descriptions::folded;
use crate::prompt_learning::examples::{Examples, sample_shots};

/// The split that recipes learn from.
const TRAIN_SPLIT: &str = "train";

/// Photos that a thread encodes at a time.
const PHOTOS_AT_ONCE: usize = 8;

/// Images with their class.
pub type LabeledItems<'a> = Vec<(&'a Item, usize)>;

/// Which images of a data set.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// The split. `None`: the test split if there are splits, else all images.
    pub split: Option<String>,
    /// The most images of each class, drawn at random.
    pub shots: Option<usize>,
    /// The most images in all, taken evenly from the classes.
    pub limit: Option<usize>,
    /// Decides which images are drawn.
    pub seed: u64,
}

impl Selection {
    /// The images to learn from: those of the train split if `data` has splits.
    pub fn training(data: &DataSet) -> Self {
        Self {
            split: (!data.splits().is_empty()).then(|| TRAIN_SPLIT.to_owned()),
            ..Self::default()
        }
    }

    /// The selected images of `data` with the position of their class among `names`, and how many
    /// were left out because their class is not there.
    ///
    /// # Errors
    /// `data/unknown-split`.
    pub fn items<'a>(
        &self,
        data: &'a DataSet,
        names: &[String],
    ) -> Result<(LabeledItems<'a>, usize)> {
        let options = Options {
            split: self.split.clone(),
            limit: self.limit,
            ..Options::default()
        };
        let (mut items, skipped) = plan(data, names, &options)?;
        if let Some(shots) = self.shots {
            let labels: Vec<usize> = items.iter().map(|(_, label)| *label).collect();
            let kept = sample_shots(&labels, shots, self.seed);
            items = kept.into_iter().map(|i| items[i]).collect();
        }
        Ok((items, skipped))
    }

    /// The images of `data` whose folder has the name of none of the classes, all under label 0; of
    /// the split if `data` has it.
    ///
    /// # Errors
    /// `data/unknown-split`.
    pub fn outliers<'a>(&self, data: &'a DataSet, names: &[String]) -> Result<LabeledItems<'a>> {
        let split = self.split.as_deref();
        let all = data.select(split.filter(|split| data.splits().contains(split)))?;
        let classes: BTreeSet<String> = names.iter().map(|name| folded(name)).collect();
        let other = all.into_iter();
        Ok(other
            .filter(|item| !classes.contains(&folded(&item.class)))
            .map(|item| (item, 0))
            .collect())
    }
}

/// Is told how many of how many photos of a set are encoded, on another thread.
pub type PhotoCount<'a> = dyn Fn(PhotoSet, usize, usize) + Sync + 'a;

/// Photos of one or more data sets.
pub struct DataSetPhotos<'a> {
    sets: BTreeMap<PhotoSet, (&'a DataSet, LabeledItems<'a>)>,
    /// Images of `data` that were left out because their class is not among the names.
    pub skipped: usize,
    count: &'a PhotoCount<'a>,
}

impl<'a> DataSetPhotos<'a> {
    /// No photos yet.
    pub fn new(count: &'a PhotoCount<'a>) -> Self {
        Self {
            sets: BTreeMap::new(),
            skipped: 0,
            count,
        }
    }

    /// Learns from the images of `data` that `selection` names, by their class folder.
    ///
    /// # Errors
    /// `data/unknown-split`.
    pub fn classes(
        &mut self,
        data: &'a DataSet,
        names: &[String],
        selection: &Selection,
    ) -> Result<()> {
        let (items, skipped) = selection.items(data, names)?;
        self.skipped += skipped;
        self.sets.insert(PhotoSet::Classes, (data, items));
        Ok(())
    }

    /// Learns from the images of `data` that `selection` names, whatever folder they lie in.
    ///
    /// # Errors
    /// `data/unknown-split`.
    pub fn unlabeled(&mut self, data: &'a DataSet, selection: &Selection) -> Result<()> {
        let items = selection.outliers(data, &[])?;
        self.sets.insert(PhotoSet::Unlabeled, (data, items));
        Ok(())
    }

    /// Learns from the images of `data` whose class is not among `names`.
    ///
    /// # Errors
    /// `data/unknown-split`.
    pub fn outliers(
        &mut self,
        data: &'a DataSet,
        names: &[String],
        selection: &Selection,
    ) -> Result<()> {
        let items = selection.outliers(data, names)?;
        self.sets.insert(PhotoSet::Outliers, (data, items));
        Ok(())
    }

    /// Measures on the test split of `data` if it has one, on at most `limit` images.
    ///
    /// # Errors
    /// `data/unknown-split`.
    pub fn test(
        &mut self,
        data: &'a DataSet,
        names: &[String],
        limit: Option<usize>,
    ) -> Result<()> {
        if !data.splits().contains(TEST_SPLIT) {
            return Ok(());
        }
        let selection = Selection {
            limit,
            ..Selection::default()
        };
        let (items, skipped) = selection.items(data, names)?;
        self.skipped += skipped;
        self.sets.insert(PhotoSet::Test, (data, items));
        Ok(())
    }
}

impl PhotoSource for DataSetPhotos<'_> {
    fn labels(&self, set: PhotoSet) -> Option<Vec<usize>> {
        let (_, items) = self.sets.get(&set)?;
        Some(items.iter().map(|(_, label)| *label).collect())
    }

    fn item(&self, set: PhotoSet, number: usize) -> FailedItem {
        file(&self.sets[&set].1, number)
    }

    fn requires(&self, _: PhotoSet) -> bool {
        true
    }

    async fn encode(
        &self,
        set: PhotoSet,
        model: &Model,
        photos: &mut ExampleBuilder,
        _: &dyn Progress,
    ) -> Result<()> {
        let Some((data, items)) = self.sets.get(&set) else {
            return Ok(());
        };
        let count = self.count;
        let count = |done, total| count(set, done, total);
        encode_into(model, data, items, photos, &count)
    }
}

/// What an image is called in a list of failures.
fn file(items: &[(&Item, usize)], number: usize) -> FailedItem {
    FailedItem::File(items[number].0.path.clone())
}

/// The examples of images of `data`, and the images that are not usable.
///
/// # Errors
/// `data/empty` if none is usable, `data/invalid`, `io/failed`, `engine/not-finite`, `gpu/lost`.
pub fn encode_items(
    model: &Model,
    data: &DataSet,
    items: &[(&Item, usize)],
    classes: usize,
    encoder: ViewEncoder,
) -> Result<(Examples, Vec<Failure>)> {
    let mut photos = ExampleBuilder::new(classes, encoder);
    encode_into(model, data, items, &mut photos, &|_, _| {})?;
    let item = |number| file(items, number);
    let failures = failures(&photos, &item);
    Ok((finish(photos, &item)?, failures))
}

fn encode_into(
    model: &Model,
    data: &DataSet,
    items: &[(&Item, usize)],
    photos: &mut ExampleBuilder,
    count: &(dyn Fn(usize, usize) + Sync),
) -> Result<()> {
    let encoder = photos.encoder();
    let wanted: Vec<&Item> = items.iter().map(|(item, _)| *item).collect();
    pipeline(
        (workers(model), PHOTOS_AT_ONCE),
        |give| {
            let mut numbers = 0..;
            data.read(&wanted, &mut |_, bytes| {
                numbers.next().map_or(Ok(()), |number| give(number, bytes))
            })
        },
        &|files| {
            let encode = |(number, file): (usize, Result<Vec<u8>>)| {
                let encoded = match file {
                    Ok(bytes) => block_on(encoder.encode(model, number, &bytes))?,
                    Err(error) => Err(error),
                };
                Ok((number, encoded))
            };
            files.into_iter().map(encode).collect()
        },
        &mut |number, encoded| {
            count(number, items.len());
            photos.push(encoded, items[number].1);
            Ok(())
        },
    )?;
    count(items.len(), items.len());
    Ok(())
}
