//! How well averaged weights name photos that are not trained on.

use super::captions::Captions;
use super::parameters::Layout;
use super::photos::Photos;
use crate::clip::Builder;
use crate::clip::config::ClipConfig;
use crate::error::Result;
use crate::image::{Preprocess, resize_crop, to_chw};
use crate::kernels::{Placement, read};
use crate::math::normalize_rows;
use crate::prompt::template::{DEFAULT, Template};

/// Photos of one pass.
const BATCH: usize = 64;

/// Mean over the classes of the share of validation photos whose own name, in the default template,
/// is nearest; none without such photos.
///
/// # Errors
/// Those of the towers and of preprocessing.
pub async fn validate(
    config: &ClipConfig,
    layout: &Layout,
    values: &[f32],
    placement: &Placement,
    photos: &Photos,
    captions: &Captions<'_>,
    preprocess: &Preprocess,
) -> Result<Option<f64>> {
    if photos.validation.is_empty() {
        return Ok(None);
    }
    let mut builder = Builder::new(config.clone(), placement.clone());
    for (name, tensor) in layout.split(values) {
        builder.put(&name, tensor)?;
    }
    let clip = builder.finish()?;
    let template = Template::parse(DEFAULT[0])?;
    let sentences = captions
        .names()
        .iter()
        .map(|name| captions.encode(&template.fill(name)))
        .collect::<Result<Vec<_>>>()?;
    let d = config.projection_dim;
    let mut texts = read(clip.text.encode(&sentences).0).await?;
    normalize_rows(&mut texts, d);
    let mut seen = vec![(0usize, 0usize); captions.names().len()];
    for part in photos.validation.chunks(BATCH) {
        let mut pixels = Vec::with_capacity(part.len() * preprocess.input_len());
        for photo in part {
            pixels.extend(to_chw(&resize_crop(&photo.image, preprocess)?, preprocess));
        }
        let features = read(clip.vision.encode(&pixels)).await?;
        for (photo, image) in part.iter().zip(features.chunks_exact(d)) {
            let dot = |text: &[f32]| -> f32 { text.iter().zip(image).map(|(a, b)| a * b).sum() };
            let scores: Vec<f32> = texts.chunks_exact(d).map(dot).collect();
            let best = (0..scores.len()).max_by(|a, b| scores[*a].total_cmp(&scores[*b]));
            seen[photo.class].0 += usize::from(best == Some(photo.class));
            seen[photo.class].1 += 1;
        }
    }
    let shares: Vec<f64> = seen
        .iter()
        .filter(|(_, all)| *all > 0)
        .map(|(right, all)| *right as f64 / *all as f64)
        .collect();
    Ok(Some(shares.iter().sum::<f64>() / shares.len() as f64))
}
