//! Maps of an answer over its photo.

use super::{Answerer, Ranked, Seen};
use crate::error::Result;
use crate::heatmap::{Heatmap, HeatmapMethod, maps, regions, shares};
use crate::image::Rgb8;
use crate::model::Model;
use crate::progress::Progress;

impl Answerer<'_> {
    /// Where the most probable names are.
    pub(super) async fn heatmap(
        &self,
        method: HeatmapMethod,
        photo: &Rgb8,
        seen: Seen<'_>,
        ranking: &[Ranked],
        progress: &dyn Progress,
    ) -> Result<Heatmap> {
        let clip = &self.model.clip;
        let (d, scale) = (clip.config.projection_dim, clip.logit_scale);
        let labels = &self.classes.labels;
        let (size, found) = match method {
            HeatmapMethod::Patches => {
                let side = clip.vision.grid();
                ((side, side), shares(seen.patches, seen.texts, d, scale)?)
            }
            HeatmapMethod::Regions => {
                let features = windows(self.model, photo, progress).await?;
                let windows = shares(&features, seen.texts, d, scale)?;
                let cells = regions::spread(&windows, labels.len());
                ((regions::CELLS, regions::CELLS), cells)
            }
        };
        let order: Vec<usize> = ranking.iter().map(|ranked| ranked.class).collect();
        Ok(maps(method, size, &found, labels, &order))
    }
}

/// L2-normalized features [WINDOWS, d] of the windows of a photo.
async fn windows(model: &Model, image: &Rgb8, progress: &dyn Progress) -> Result<Vec<f32>> {
    let seen = model.preprocess.seen(image.width, image.height);
    let per_pass = model.images_per_pass();
    let mut features = Vec::new();
    for first in (0..regions::WINDOWS).step_by(per_pass) {
        progress.step("regions", first, regions::WINDOWS).await?;
        let mut pixels = Vec::new();
        for index in first..regions::WINDOWS.min(first + per_pass) {
            pixels.extend(regions::window(image, seen, &model.preprocess, index)?);
        }
        features.extend(model.embed_pixels(&pixels).await?);
    }
    progress
        .step("regions", regions::WINDOWS, regions::WINDOWS)
        .await?;
    Ok(features)
}
