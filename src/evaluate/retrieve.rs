//! Does a caption find its picture, and a picture its captions?

use std::collections::BTreeMap;
use std::path::Path;

use pollster::block_on;
use serde::Serialize;

use super::LISTED;
use crate::clock::now;
use crate::dataset::{DataSet, Item, Limits, Reading, TEST_SPLIT, embed_all};
use crate::error::{Error, Failure, Kind, Result};
use crate::model::Model;

/// The file with the captions: lines of a picture's path, a tab and a caption.
pub const CAPTIONS: &str = "captions.tsv";
/// Places that count as found.
pub const PLACES: [usize; 3] = [1, 5, 10];
/// Captions that are encoded at a time.
const TEXTS: usize = 256;

/// What to measure on.
#[derive(Debug, Clone, Default)]
pub struct RetrieveOptions {
    /// The folder of the pictures; `test` if it is left out.
    pub split: Option<String>,
    /// The most pictures, from the first.
    pub limit: Option<usize>,
    /// The most captions of a picture, from the first.
    pub captions: Option<usize>,
}

/// Fractions that were found among the first 1, 5 and 10.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Recall {
    /// In the first place.
    #[serde(rename = "recall@1")]
    pub one: f64,
    /// Among the first five.
    #[serde(rename = "recall@5")]
    pub five: f64,
    /// Among the first ten.
    #[serde(rename = "recall@10")]
    pub ten: f64,
}

/// What was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Retrieval {
    /// Pictures measured.
    pub images: usize,
    /// Captions of these.
    pub captions: usize,
    /// Captions whose picture was found among all pictures.
    pub text_to_image: Recall,
    /// Pictures of which a caption was found among all captions.
    pub image_to_text: Recall,
    /// Pictures that could not be read or decoded.
    pub failed: usize,
    /// The first 100 of these.
    pub failures: Vec<Failure>,
    /// Seconds for everything but loading the model.
    pub seconds: f64,
}

/// Measures `model` on the pictures of a folder or archive with a `captions.tsv`.
///
/// # Errors
/// `data/empty` if there are no captions or no pictures of them, `data/invalid` for captions that are
/// no table, those of [`DataSet::files`], `labels/too-long`, `engine/not-finite`, `gpu/lost`.
pub fn retrieve(model: &Model, data: &Path, options: &RetrieveOptions) -> Result<Retrieval> {
    let start = now();
    let data = DataSet::files(data, &Limits::default())?;
    let mut captions = read_captions(&data)?;
    let split = options.split.as_deref().unwrap_or(TEST_SPLIT);
    let inside = |item: &&Item| {
        item.path.split('/').next() == Some(split) && captions.contains_key(&item.path)
    };
    let mut items: Vec<&Item> = data.items().iter().filter(inside).collect();
    items.truncate(options.limit.unwrap_or(usize::MAX));
    if items.is_empty() {
        return Err(Error::new(
            Kind::DataEmpty,
            format!("{CAPTIONS} has a caption for no picture in the folder {split:?}."),
        ));
    }
    let (mut images, mut texts, mut owners) = (Vec::new(), Vec::new(), Vec::new());
    let mut failures: Vec<Failure> = Vec::new();
    let mut failed = 0;
    embed_all(
        model,
        &Reading::default(),
        |give| data.read(&items, &mut |item, bytes| give(item.path.clone(), bytes)),
        &mut |path: String, found| {
            match found {
                Ok(features) => {
                    let own = captions.remove(&path).unwrap_or_default();
                    let most = options.captions.unwrap_or(usize::MAX);
                    for caption in own.into_iter().take(most) {
                        texts.push(caption);
                        owners.push(images.len());
                    }
                    images.push(features.image);
                }
                Err(error) => {
                    failed += 1;
                    if failures.len() < LISTED {
                        failures.push(Failure::from((path.as_str(), &error)));
                    }
                }
            }
            Ok(())
        },
    )?;
    if images.is_empty() {
        return Err(Error::new(
            Kind::DataEmpty,
            format!("None of the {failed} pictures can be read."),
        ));
    }
    let d = model.clip.config.projection_dim;
    let mut features = Vec::with_capacity(texts.len() * d);
    for part in texts.chunks(TEXTS) {
        features.extend(block_on(model.embed_texts(part))?.0);
    }
    let similarity = |text: usize, image: usize| -> f32 {
        let text = &features[text * d..(text + 1) * d];
        text.iter().zip(&images[image]).map(|(a, b)| a * b).sum()
    };
    let to_image: Vec<usize> = (0..texts.len())
        .map(|text| {
            let own = similarity(text, owners[text]);
            let before = |image: &usize| *image != owners[text] && similarity(text, *image) >= own;
            (0..images.len()).filter(before).count()
        })
        .collect();
    let to_text: Vec<usize> = (0..images.len())
        .map(|image| {
            let all: Vec<f32> = (0..texts.len()).map(|t| similarity(t, image)).collect();
            let own = (0..texts.len()).filter(|t| owners[*t] == image);
            let best = own.map(|t| all[t]).fold(f32::NEG_INFINITY, f32::max);
            let before = |t: &usize| owners[*t] != image && all[*t] >= best;
            (0..texts.len()).filter(before).count()
        })
        .collect();
    Ok(Retrieval {
        images: images.len(),
        captions: texts.len(),
        text_to_image: recall(&to_image),
        image_to_text: recall(&to_text),
        failed,
        failures,
        seconds: (now() - start) / 1e3,
    })
}

/// From how many others stand before each.
fn recall(before: &[usize]) -> Recall {
    let [one, five, ten] = PLACES.map(|places| {
        let found = before.iter().filter(|count| **count < places).count();
        found as f64 / before.len() as f64
    });
    Recall { one, five, ten }
}

/// The captions of each picture.
fn read_captions(data: &DataSet) -> Result<BTreeMap<String, Vec<String>>> {
    let is_table = |item: &&Item| item.path == CAPTIONS;
    let table = data.items().iter().find(is_table).ok_or_else(|| {
        Error::new(
            Kind::DataEmpty,
            format!("There is no {CAPTIONS} at the top; its lines are a picture's path, a tab and a caption."),
        )
    })?;
    let mut bytes = Vec::new();
    data.read(&[table], &mut |_, found| {
        bytes = found?;
        Ok(())
    })?;
    let invalid = |why: &str| Error::new(Kind::DataInvalid, format!("{CAPTIONS} {why}."));
    let text = String::from_utf8(bytes).map_err(|_| invalid("is not UTF-8 text"))?;
    let mut captions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let (path, caption) = line
            .split_once('\t')
            .ok_or_else(|| invalid("has a line without a tab"))?;
        let own = captions.entry(path.to_owned()).or_default();
        own.push(caption.trim().to_owned());
    }
    Ok(captions)
}
