//! Features of many images: decoded on the fly and encoded in batches on every core.

use super::pipeline::{Done, Feed, Files, pipeline, workers};
use crate::classifier::{Answerer, ClassSet, Prediction, Seen, TuningReport};
use crate::error::{Error, Kind, Result};
use crate::image::views::Corruption;
use crate::image::{Limits, Rgb8, decode};
use crate::model::Model;

/// Images per forward pass.
const BATCH: usize = 16;

/// How image files become features.
#[derive(Clone, Copy, Default)]
pub struct Reading<'a> {
    /// Whether the features of the patches are wanted too.
    pub patches: bool,
    /// What is done to every image first, and the seed of its noise.
    pub corruption: Option<(Corruption, u64)>,
    /// Tunes a prompt on every image; `None` if none is tuned.
    pub tuning: Option<&'a Answerer<'a>>,
}

impl Reading<'_> {
    /// Images per forward pass. Tuning makes its own batches of one image's views.
    fn batch(&self) -> usize {
        if self.tuning.is_some() { 1 } else { BATCH }
    }

    fn image(&self, bytes: &[u8]) -> Result<Rgb8> {
        let image = decode(bytes, &Limits::default())?;
        match self.corruption {
            Some((corruption, seed)) => corruption.apply(&image, seed),
            None => Ok(image),
        }
    }
}

/// An image's L2-normalized features.
#[derive(Debug, Clone, PartialEq)]
pub struct Features {
    /// Of the whole image, [d].
    pub image: Vec<f32>,
    /// Of its patches, [N, d]; empty if they were not asked for.
    pub patches: Vec<f32>,
    /// The answer with a prompt tuned on this image, if that was asked for.
    pub tuned: Option<TunedAnswer>,
}

/// An answer with a prompt tuned on its image.
#[derive(Debug, Clone, PartialEq)]
pub struct TunedAnswer {
    /// The tuned text features, [K, d].
    pub texts: Vec<f32>,
    /// All classes, most probable first.
    pub predictions: Vec<Prediction>,
    /// What tuning did.
    pub tuning: TuningReport,
}

impl Features {
    /// What a score reads: the class texts as they are, or tuned on this image.
    pub fn seen<'a>(&'a self, classes: &'a ClassSet) -> Seen<'a> {
        Seen {
            feature: &self.image,
            patches: &self.patches,
            texts: match &self.tuned {
                Some(tuned) => &tuned.texts,
                None => &classes.features,
            },
        }
    }
}

/// An image's features, or why there are none.
pub type Embedded = Result<Features>;

/// Runs `feed`, which hands over image files, and gives their features to `take` in the same order
/// (on another thread). A file that is an error, or cannot be decoded, arrives as its error.
///
/// # Errors
/// Those of `feed` and `take`, `options/invalid`, `engine/not-finite`, `gpu/lost`.
pub fn embed_all<K: Send>(
    model: &Model,
    reading: &Reading<'_>,
    feed: impl FnOnce(&mut Feed<'_, K>) -> Result<()>,
    take: &mut (dyn FnMut(K, Embedded) -> Result<()> + Send),
) -> Result<()> {
    let plan = (workers(model), reading.batch());
    pipeline(plan, feed, &|files| encode(model, reading, files), take)
}

fn encode<K>(model: &Model, reading: &Reading<'_>, files: Files<K>) -> Done<K, Embedded> {
    if reading.tuning.is_some() {
        return tune_each(reading, files);
    }
    let mut pixels = Vec::new();
    let mut waiting = Vec::with_capacity(files.len());
    for (key, file) in files {
        let decoded = file
            .and_then(|bytes| reading.image(&bytes))
            .and_then(|image| model.plain_view(&image));
        waiting.push((key, decoded.map(|values| pixels.extend(values))));
    }
    let decoded = waiting
        .iter()
        .filter(|(_, outcome)| outcome.is_ok())
        .count();
    let (images, local) = if pixels.is_empty() {
        (Vec::new(), Vec::new())
    } else if reading.patches {
        pollster::block_on(model.embed_patches(&pixels))?
    } else {
        (pollster::block_on(model.embed_pixels(&pixels))?, Vec::new())
    };
    let mut images = images.chunks_exact(model.clip.config.projection_dim);
    let mut local = local.chunks_exact((local.len() / decoded.max(1)).max(1));
    let mut done = Vec::with_capacity(waiting.len());
    for (key, decoded) in waiting {
        let features = decoded.and_then(|()| {
            let image = images
                .next()
                .ok_or_else(|| Error::new(Kind::Internal, "An image has no features."))?;
            Ok(Features {
                image: image.to_vec(),
                patches: local.next().map(<[f32]>::to_vec).unwrap_or_default(),
                tuned: None,
            })
        });
        done.push((key, features));
    }
    Ok(done)
}

fn tune_each<K>(reading: &Reading<'_>, files: Files<K>) -> Done<K, Embedded> {
    let mut done = Vec::with_capacity(files.len());
    for (key, file) in files {
        let features = match file.and_then(|bytes| reading.image(&bytes)) {
            Ok(image) => tuned(reading, &image),
            Err(error) => {
                done.push((key, Err(error)));
                continue;
            }
        };
        match features {
            // A shape that cannot be resized ends this image, a lost device all of them.
            Err(error) if !error.code().starts_with("image/") => return Err(error),
            features => done.push((key, features)),
        }
    }
    Ok(done)
}

fn tuned(reading: &Reading<'_>, image: &Rgb8) -> Result<Features> {
    let missing = || Error::new(Kind::Internal, "An image was not tuned.");
    let answerer = reading.tuning.ok_or_else(missing)?;
    let answer = pollster::block_on(answerer.answer(image, &()))?;
    let predictions = answer.predictions(answerer.classes());
    Ok(Features {
        image: answer.feature,
        patches: answer.patches,
        tuned: Some(TunedAnswer {
            texts: answer.texts.ok_or_else(missing)?,
            predictions,
            tuning: answer.tuning.ok_or_else(missing)?,
        }),
    })
}
