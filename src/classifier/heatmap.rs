//! Maps of an answer over its photo.

use super::{Classes, Classifier, Prediction};
use crate::error::Result;
use crate::heatmap::{Heatmap, HeatmapMethod, maps, regions, shares};
use crate::image::Rgb8;
use crate::progress::Progress;

/// What an answer was made from.
pub(super) struct Answering<'a> {
    /// The photo.
    pub image: &'a Rgb8,
    /// Its patches, [N, d], L2-normalized; only [`HeatmapMethod::Patches`] reads them.
    pub patches: &'a [f32],
    /// The class names as they answered, [K, d], L2-normalized.
    pub texts: &'a [f32],
    /// The answer.
    pub predictions: &'a [Prediction],
}

impl Classifier {
    /// Where the most probable names are.
    pub(super) async fn heatmap(
        &self,
        method: HeatmapMethod,
        classes: &Classes,
        answering: &Answering<'_>,
        progress: &dyn Progress,
    ) -> Result<Heatmap> {
        let d = self.clip.config.projection_dim;
        let scale = self.clip.logit_scale;
        let texts = answering.texts;
        let (size, found) = match method {
            HeatmapMethod::Patches => {
                let vision = &self.clip.vision.config;
                let side = vision.image_size / vision.patch_size;
                ((side, side), shares(answering.patches, texts, d, scale)?)
            }
            HeatmapMethod::Regions => {
                let features = self.windows(answering.image, progress).await?;
                let windows = shares(&features, texts, d, scale)?;
                let cells = regions::spread(&windows, classes.labels.len());
                ((regions::CELLS, regions::CELLS), cells)
            }
        };
        Ok(maps(
            method,
            size,
            &found,
            &classes.labels,
            answering.predictions,
        ))
    }

    /// L2-normalized features [WINDOWS, d] of the windows of a photo.
    async fn windows(&self, image: &Rgb8, progress: &dyn Progress) -> Result<Vec<f32>> {
        let seen = self.preprocess.seen(image.width, image.height);
        let per_pass = self.images_per_pass();
        let mut features = Vec::new();
        for first in (0..regions::WINDOWS).step_by(per_pass) {
            progress.step("regions", first, regions::WINDOWS).await?;
            let mut pixels = Vec::new();
            for index in first..regions::WINDOWS.min(first + per_pass) {
                pixels.extend(regions::window(image, seen, &self.preprocess, index)?);
            }
            features.extend(self.embed_pixels(&pixels).await?);
        }
        progress
            .step("regions", regions::WINDOWS, regions::WINDOWS)
            .await?;
        Ok(features)
    }
}
