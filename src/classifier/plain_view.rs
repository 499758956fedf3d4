//! Photos as the model looks at them, made without the model: threads of their own can make them, and
//! the model answers several together.

use super::answerer::PhotoAnswer;
use super::{Answerer, Classification, Timings};
use crate::clock::now;
use crate::error::{Error, Kind, Result};
use crate::image::{Limits, Preprocess, Rgb8, decode, reduction, resize_crop, to_chw};
use crate::progress::Progress;

/// What a model looks at of one photo: the photo scaled and cropped to the model's input.
#[derive(Debug, Clone, PartialEq)]
pub struct PlainView {
    /// The input's pixels, before they are normalized.
    pub pixels: Rgb8,
    /// By how much the sides of the photo were divided while it was decoded; `None` if they were not.
    pub reduced_by: Option<u32>,
    /// Milliseconds from file to pixels.
    pub decode: f64,
    /// Milliseconds from pixels to the view.
    pub preprocess: f64,
}

impl PlainView {
    /// The view of an image file for models with this preprocessing.
    ///
    /// # Errors
    /// The `image/` codes.
    pub fn of(bytes: &[u8], preprocess: &Preprocess) -> Result<Self> {
        let start = now();
        let limits = Limits::default();
        let photo = decode(bytes, &limits)?;
        let divisor = reduction(bytes, &limits)?.divisor();
        let decoded = now();
        let pixels = resize_crop(&photo, preprocess)?;
        Ok(Self {
            pixels,
            reduced_by: (divisor > 1).then_some(divisor),
            decode: decoded - start,
            preprocess: now() - decoded,
        })
    }
}

impl Answerer<'_> {
    /// Whether a photo's plain view is enough for its answer: tuning and maps look at more of it.
    pub fn takes_views(&self) -> bool {
        self.tuning().is_none() && self.heatmap.is_none()
    }

    /// Classifies photos by their views, as many in one pass through the image tower as the device
    /// may hold. The answers are in the order of `views`.
    ///
    /// # Errors
    /// `options/invalid` for a view of another size, and if [`takes_views`](Self::takes_views) is
    /// false; `engine/not-finite`, `gpu/lost`, and what `progress` returns.
    pub async fn classify_views(
        &self,
        views: &[PlainView],
        progress: &dyn Progress,
    ) -> Result<Vec<Classification>> {
        let preprocess = &self.model().preprocess;
        if !self.takes_views() {
            return Err(invalid(
                "Tuning and heat maps need the whole photo; classify one photo at a time.",
            ));
        }
        let input = (preprocess.crop_width, preprocess.crop_height);
        let fits = |view: &PlainView| (view.pixels.width, view.pixels.height) == input;
        if !views.iter().all(fits) {
            return Err(invalid("A view was made for another model."));
        }
        let mut found = Vec::with_capacity(views.len());
        for pass in views.chunks(self.model().images_per_pass()) {
            progress.step("encode", found.len(), views.len()).await?;
            found.extend(self.one_pass(pass).await?);
        }
        progress.step("encode", views.len(), views.len()).await?;
        Ok(found)
    }

    async fn one_pass(&self, views: &[PlainView]) -> Result<Vec<Classification>> {
        let start = now();
        let model = self.model();
        let pixels: Vec<f32> = views
            .iter()
            .flat_map(|view| to_chw(&view.pixels, &model.preprocess))
            .collect();
        let (features, patches) = self.embed(&pixels).await?;
        let encode = (now() - start) / views.len() as f64;
        let d = model.clip.config.projection_dim;
        let mut patches = patches.chunks_exact((patches.len() / views.len()).max(1));
        let mut found = Vec::with_capacity(views.len());
        for (view, feature) in views.iter().zip(features.chunks_exact(d)) {
            let start = now();
            let logits = self.classes().logits(model, feature).await?;
            let answer = PhotoAnswer {
                ranking: self.classes().rank(&logits),
                tuning: None,
                feature: feature.to_vec(),
                patches: patches.next().map(<[f32]>::to_vec).unwrap_or_default(),
                texts: None,
                timings: Timings {
                    decode: view.decode,
                    preprocess: view.preprocess,
                    encode,
                    ..Timings::default()
                },
            };
            let ood = self.judge(answer.seen(self.classes()))?;
            found.push(Classification {
                predictions: answer.predictions(self.classes()),
                ood,
                tuning: None,
                heatmap: None,
                score: self.classes().score(feature),
                reduced_by: view.reduced_by,
                timings: Timings {
                    total: view.decode + view.preprocess + encode + (now() - start),
                    ..answer.timings
                },
            });
        }
        Ok(found)
    }
}

fn invalid(message: &str) -> Error {
    Error::new(Kind::OptionInvalid, message)
}
