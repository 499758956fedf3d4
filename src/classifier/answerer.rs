//! From one photo to its answer. The stages are values: the photo decoded, what the model sees of it,
//! the texts (tuned on it or not), the ranking, the verdict and the maps.

use super::{
    ClassSet, Classification, ClassifyOptions, Detector, Prediction, Seen, Timings, TuningReport,
    Verdict,
};
use crate::clock::now;
use crate::error::Result;
use crate::heatmap::HeatmapMethod;
use crate::image::{Limits, Rgb8, decode, reduction};
use crate::model::Model;
use crate::progress::Progress;
use crate::tpt::Tuning;

/// Answers photos among one class list in one way. What does not depend on the photo is resolved
/// when it is made.
pub struct Answerer<'a> {
    pub(super) model: &'a Model,
    pub(super) classes: &'a ClassSet,
    tuning: Option<&'a Tuning>,
    pub(super) heatmap: Option<HeatmapMethod>,
    detector: Option<Detector>,
}

impl<'a> Answerer<'a> {
    /// Resolves the score, with the negative labels that it reads, and refuses a prompt that cannot
    /// be tuned as asked.
    ///
    /// # Errors
    /// Those of [`Detector::new`]; `options/invalid` for a prompt that cannot be tuned.
    pub async fn new(
        model: &'a Model,
        classes: &'a ClassSet,
        options: &'a ClassifyOptions,
        progress: &dyn Progress,
    ) -> Result<Self> {
        let tuning = options.tuning.as_ref();
        let detector = match &options.ood {
            Some(ood) => Some(Detector::new(model, classes, tuning, ood, progress).await?),
            None => None,
        };
        Self::with_detector(model, classes, options, detector)
    }

    /// The same with a score that is ready; the one in `options` does not count.
    ///
    /// # Errors
    /// `options/invalid` for a prompt that cannot be tuned.
    pub fn with_detector(
        model: &'a Model,
        classes: &'a ClassSet,
        options: &'a ClassifyOptions,
        detector: Option<Detector>,
    ) -> Result<Self> {
        if options.tuning.is_some() {
            classes.tunable()?;
        }
        Ok(Self {
            model,
            classes,
            tuning: options.tuning.as_ref(),
            heatmap: options.heatmap,
            detector,
        })
    }

    /// The score with its threshold; `None` if it is switched off.
    pub fn detector(&self) -> Option<&Detector> {
        self.detector.as_ref()
    }

    /// How the prompt is tuned on every photo.
    pub fn tuning(&self) -> Option<&'a Tuning> {
        self.tuning
    }

    /// The model.
    pub fn model(&self) -> &'a Model {
        self.model
    }

    /// The class list.
    pub fn classes(&self) -> &'a ClassSet {
        self.classes
    }

    /// Whether the features of a photo's patches are needed.
    pub fn needs_patches(&self) -> bool {
        self.heatmap == Some(HeatmapMethod::Patches)
            || self.detector.as_ref().is_some_and(Detector::needs_patches)
    }

    /// Classifies one image file.
    ///
    /// # Errors
    /// The `image/` codes, `engine/not-finite`, `gpu/lost`, and what `progress` returns.
    pub async fn classify(&self, bytes: &[u8], progress: &dyn Progress) -> Result<Classification> {
        let start = now();
        let limits = Limits::default();
        let photo = decode(bytes, &limits)?;
        let divisor = reduction(bytes, &limits)?.divisor();
        let decode = now() - start;
        let answered = self.answer(&photo, progress).await?;
        let seen = answered.seen(self.classes);
        let ood = self.judge(seen)?;
        let heatmap = match self.heatmap {
            Some(method) => Some(
                self.heatmap(method, &photo, seen, &answered.ranking, progress)
                    .await?,
            ),
            None => None,
        };
        let timings = Timings {
            decode,
            total: now() - start,
            ..answered.timings
        };
        Ok(Classification {
            predictions: answered.predictions(self.classes),
            ood,
            score: self.classes.score(&answered.feature),
            tuning: answered.tuning,
            heatmap,
            reduced_by: (divisor > 1).then_some(divisor),
            timings,
        })
    }

    /// Whether what is seen is any of the classes; `None` if the score is switched off.
    pub(super) fn judge(&self, seen: Seen<'_>) -> Result<Option<Verdict>> {
        let detector = self.detector.as_ref();
        detector.map(|detector| detector.judge(seen)).transpose()
    }

    /// L2-normalized features [B, d] of preprocessed images [B, 3, S, S], and of their patches
    /// [B, N, d] if these are needed.
    pub(super) async fn embed(&self, pixels: &[f32]) -> Result<(Vec<f32>, Vec<f32>)> {
        if self.needs_patches() {
            self.model.embed_patches(pixels).await
        } else {
            Ok((self.model.embed_pixels(pixels).await?, Vec::new()))
        }
    }

    /// Everything about a decoded photo but the verdict and the maps.
    pub(crate) async fn answer(
        &self,
        photo: &Rgb8,
        progress: &dyn Progress,
    ) -> Result<PhotoAnswer> {
        match self.tuning {
            Some(tuning) => {
                let plain = if self.needs_patches() {
                    self.look_at(photo, progress).await?
                } else {
                    PlainView::default()
                };
                let mut answered = self.tuned(tuning, photo, progress).await?;
                answered.patches = plain.patches;
                answered.timings.preprocess += plain.timings.preprocess;
                answered.timings.encode += plain.timings.encode;
                Ok(answered)
            }
            None => {
                let plain = self.look_at(photo, progress).await?;
                let logits = self.classes.logits(self.model, &plain.feature).await?;
                Ok(PhotoAnswer {
                    ranking: self.classes.rank(&logits),
                    tuning: None,
                    feature: plain.feature,
                    patches: plain.patches,
                    texts: None,
                    timings: plain.timings,
                })
            }
        }
    }

    /// What the model sees of the plain view.
    async fn look_at(&self, photo: &Rgb8, progress: &dyn Progress) -> Result<PlainView> {
        let start = now();
        let view = self.model.plain_view(photo)?;
        let made = now();
        progress.step("encode", 0, 1).await?;
        let (feature, patches) = self.embed(&view).await?;
        let timings = Timings {
            preprocess: made - start,
            encode: now() - made,
            ..Timings::default()
        };
        progress.step("encode", 1, 1).await?;
        Ok(PlainView {
            feature,
            patches,
            timings,
        })
    }
}

/// The plain view as the model sees it.
#[derive(Default)]
struct PlainView {
    /// [d], L2-normalized.
    feature: Vec<f32>,
    /// [N, d], L2-normalized; empty unless they are needed.
    patches: Vec<f32>,
    timings: Timings,
}

/// A class of a ranking: its place in the class list and its probability.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ranked {
    /// Place in the class list.
    pub class: usize,
    /// Of 0 to 1.
    pub probability: f64,
}

/// Classes by their `probabilities`, most probable first; equal ones keep their order.
pub fn rank(probabilities: &[f64]) -> Vec<Ranked> {
    let mut ranking: Vec<Ranked> = probabilities
        .iter()
        .copied()
        .enumerate()
        .map(|(class, probability)| Ranked { class, probability })
        .collect();
    ranking.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    ranking
}

/// A photo with its answer.
pub(crate) struct PhotoAnswer {
    /// Most probable first.
    pub ranking: Vec<Ranked>,
    /// What tuning did.
    pub tuning: Option<TuningReport>,
    /// L2-normalized feature of the plain view, [d].
    pub feature: Vec<f32>,
    /// L2-normalized features of its patches, [N, d]; empty unless they are needed.
    pub patches: Vec<f32>,
    /// The tuned text features, [K, d]; `None` if those of the class list hold.
    pub texts: Option<Vec<f32>>,
    /// Without decoding and the total.
    pub timings: Timings,
}

impl PhotoAnswer {
    /// What scores and maps read.
    pub fn seen<'a>(&'a self, classes: &'a ClassSet) -> Seen<'a> {
        Seen {
            feature: &self.feature,
            patches: &self.patches,
            texts: self.texts.as_deref().unwrap_or(&classes.features),
        }
    }

    /// The ranking with names.
    pub fn predictions(&self, classes: &ClassSet) -> Vec<Prediction> {
        named(&self.ranking, &classes.labels)
    }
}

/// A ranking with names.
pub fn named(ranking: &[Ranked], labels: &[String]) -> Vec<Prediction> {
    let named = ranking.iter().map(|ranked| Prediction {
        label: labels[ranked.class].clone(),
        probability: ranked.probability,
    });
    named.collect()
}

impl ClassSet {
    /// Classifies one image file; [`Answerer`] does it for many.
    ///
    /// # Errors
    /// Those of [`Answerer::new`] and [`Answerer::classify`].
    pub async fn classify(
        &self,
        model: &Model,
        bytes: &[u8],
        options: &ClassifyOptions,
        progress: &dyn Progress,
    ) -> Result<Classification> {
        let answerer = Answerer::new(model, self, options, progress).await?;
        answerer.classify(bytes, progress).await
    }
}
