//! The features of many views of one photo.

use super::Model;
use crate::clock::now;
use crate::error::Result;
use crate::image::views::{Crop, ViewMaker};
use crate::kernels::photo::Photo;
use crate::progress::Progress;

/// Token rows of the image tower in one pass: bounds memory and the time to a cancel.
const ROWS_PER_PASS: usize = 1024;

/// Features of views, and the milliseconds that they took.
#[derive(Debug, Clone, Default)]
pub struct ViewFeatures {
    /// L2-normalized, [N, d].
    pub features: Vec<f32>,
    /// Making the views.
    pub preprocess: f64,
    /// The image tower.
    pub encode: f64,
}

impl Model {
    /// How many images go through the image tower at a time.
    pub(crate) fn images_per_pass(&self) -> usize {
        self.clip.vision.images_within(ROWS_PER_PASS)
    }

    /// L2-normalized features of every view of `maker`, [N, d], and of their regions, [N, P, d].
    pub(crate) async fn view_regions(&self, maker: &ViewMaker<'_>) -> Result<(Vec<f32>, Vec<f32>)> {
        let (mut features, mut regions) = (Vec::new(), Vec::new());
        let (total, per_pass) = (maker.total(), self.images_per_pass());
        for first in (0..total).step_by(per_pass) {
            let mut pixels = Vec::new();
            for index in first..total.min(first + per_pass) {
                pixels.extend(maker.view(index)?.chw);
            }
            let (some, of_regions) = self.embed_patches(&pixels).await?;
            features.extend(some);
            regions.extend(of_regions);
        }
        Ok((features, regions))
    }

    /// L2-normalized features [N, d] of every view of `maker`. Random crops are cut on the model's
    /// device, all other views here.
    pub(crate) async fn view_features(
        &self,
        maker: &ViewMaker<'_>,
        progress: &dyn Progress,
    ) -> Result<ViewFeatures> {
        let (total, per_pass) = (maker.total(), self.images_per_pass());
        let photo = Photo::new(maker.photo(), self.clip.vision.device());
        let crop = |index| photo.is_uploaded().then(|| maker.crop(index)).flatten();
        let mut found = ViewFeatures::default();
        let mut first = 0;
        while first < total {
            progress.step("views", first, total).await?;
            // One pass holds views of one kind.
            let kind = crop(first).is_some();
            let end = (first..total.min(first + per_pass))
                .find(|index| crop(*index).is_some() != kind)
                .unwrap_or(total.min(first + per_pass));
            let start = now();
            if kind {
                let crops: Vec<Crop> = (first..end).filter_map(crop).collect();
                found
                    .features
                    .extend(self.embed_crops(&photo, &crops).await?);
                found.encode += now() - start;
            } else {
                let mut pixels = Vec::new();
                for index in first..end {
                    pixels.extend(maker.view(index)?.chw);
                }
                let made = now();
                found.features.extend(self.embed_pixels(&pixels).await?);
                found.preprocess += made - start;
                found.encode += now() - made;
            }
            first = end;
        }
        progress.step("views", total, total).await?;
        Ok(found)
    }
}
