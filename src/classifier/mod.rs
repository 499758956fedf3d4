//! The one object users hold: class names in, images in, answers out.

mod answer;
mod calibrate;
mod extra_images;
mod heatmap;
mod loading;
mod model;
#[cfg(not(target_arch = "wasm32"))]
mod native;
mod negatives;
mod rejection;
mod tuning;
mod view_features;
mod with_prompt;

pub use answer::{
    Classes, Classification, ClassifyOptions, KeptView, Method, Prediction, Timings, Tuning,
    VariantFailure,
};
pub use calibrate::{Calibrated, Calibrator};
pub use extra_images::ExtraImages;
pub use loading::Loading;
#[cfg(not(target_arch = "wasm32"))]
pub use native::{check, convert};
pub use negatives::Negatives;
pub use rejection::{DEFAULT_SCORE, Ood, OodOptions, Rejection, Seen};
pub use tuning::{MAX_STEPS, TuneSettings};

use std::sync::{Arc, OnceLock};

use burn::tensor::Tensor;

use heatmap::Answering;
use negatives::Candidates;

use crate::checkpoint::{LoadReport, LoadTimes};
use crate::clip::Clip;
use crate::clip::text::TokenCounts;
use crate::clock::now;
use crate::device::DeviceInfo;
use crate::device::self_test::Outcome;
#[cfg(not(target_arch = "wasm32"))]
use crate::device::{Choice, Probe};
use crate::error::{Error, Kind, Result};
use crate::heatmap::HeatmapMethod;
use crate::image::views::Crop;
use crate::image::{Limits, Preprocess, Rgb8, decode, resize_crop, to_chw};
use crate::kernels::photo::Photo;
use crate::kernels::read;
use crate::math::normalize_rows;
use crate::ood::threshold::ordered_list_sha256;
use crate::progress::Progress;
use crate::prompt::context::{Names, from_words};
use crate::prompt::heads::texts::TextHead;
use crate::prompt::template::Template;
#[cfg(not(target_arch = "wasm32"))]
use crate::quant::Quantization;
use crate::tokenize::{ClipTokenizer, validate};

/// Where tuning starts for a template that begins with the class name.
const DEFAULT_CONTEXT: &str = "a photo of a";

/// A loaded model that answers.
#[derive(Debug)]
pub struct Classifier {
    /// The towers.
    pub clip: Clip,
    /// The model's tokenizer.
    pub tokenizer: ClipTokenizer,
    /// The model's preprocessing.
    pub preprocess: Preprocess,
    /// Where it runs.
    pub processor: DeviceInfo,
    /// What was loaded.
    pub report: LoadReport,
    /// What the known answer showed; none where the model has no stored one.
    pub self_test: Option<Outcome>,
    /// Where the time of loading went.
    pub spent: LoadTimes,
    /// The vocabulary of negative labels, encoded once.
    candidates: Candidates,
}

impl Classifier {
    /// Opens the model directory `dir`.
    ///
    /// # Errors
    /// Those of [`Loading`], and `io/failed`.
    #[cfg(not(target_arch = "wasm32"))]
    pub async fn open(
        dir: &std::path::Path,
        choice: Choice,
        quantization: Option<Quantization>,
    ) -> Result<Self> {
        native::open(
            dir,
            crate::device::open(choice, None::<&Probe>).await?,
            quantization,
        )
        .await
    }

    /// Pixels of one image file as the model's input [3, S, S], with the time of decoding and of
    /// preprocessing in milliseconds.
    ///
    /// # Errors
    /// The `image/` codes.
    pub fn pixels(&self, bytes: &[u8]) -> Result<(Vec<f32>, f64, f64)> {
        let start = now();
        let image = decode(bytes, &Limits::default())?;
        let decoded = now();
        let pixels = self.plain_view(&image)?;
        Ok((pixels, decoded - start, now() - decoded))
    }

    /// A decoded image as the model's input [3, S, S].
    ///
    /// # Errors
    /// `image/too-large`.
    pub fn plain_view(&self, image: &Rgb8) -> Result<Vec<f32>> {
        Ok(to_chw(
            &resize_crop(image, &self.preprocess)?,
            &self.preprocess,
        ))
    }

    /// L2-normalized features [B, d] of preprocessed images [B, 3, S, S].
    ///
    /// # Errors
    /// `engine/not-finite`, `gpu/lost`.
    pub async fn embed_pixels(&self, pixels: &[f32]) -> Result<Vec<f32>> {
        self.unit(self.clip.vision.encode(pixels)).await
    }

    /// L2-normalized features [N, d] of crops of one photo, scaled where the model is.
    ///
    /// # Errors
    /// As [`Self::embed_pixels`].
    pub async fn embed_crops(&self, photo: &Photo<'_>, crops: &[Crop]) -> Result<Vec<f32>> {
        let vision = &self.clip.vision;
        let patches = photo.patches(crops, &self.preprocess, vision.config.patch_size)?;
        self.unit(vision.encode_patches(patches)).await
    }

    async fn unit(&self, features: Tensor<2>) -> Result<Vec<f32>> {
        let mut features = read(features).await?;
        normalize_rows(&mut features, self.clip.config.projection_dim);
        Ok(features)
    }

    /// L2-normalized features [B, d] of preprocessed images [B, 3, S, S] and of their patches
    /// [B, N, d].
    ///
    /// # Errors
    /// `engine/not-finite`, `gpu/lost`.
    pub async fn embed_patches(&self, pixels: &[f32]) -> Result<(Vec<f32>, Vec<f32>)> {
        let (features, patches) = self.clip.vision.encode_with_patches(pixels);
        let (mut features, mut patches) = (read(features).await?, read(patches).await?);
        normalize_rows(&mut features, self.clip.config.projection_dim);
        normalize_rows(&mut patches, self.clip.config.projection_dim);
        Ok((features, patches))
    }

    /// L2-normalized features [d] of one image file.
    ///
    /// # Errors
    /// The `image/` codes, `engine/not-finite`, `gpu/lost`.
    pub async fn embed_image(&self, bytes: &[u8]) -> Result<Vec<f32>> {
        let (pixels, ..) = self.pixels(bytes)?;
        self.embed_pixels(&pixels).await
    }

    /// L2-normalized features [N, d] of texts, how many token rows they took, and how many texts
    /// were cut to the context length.
    ///
    /// # Errors
    /// `labels/too-long`, `engine/not-finite`, `gpu/lost`.
    pub async fn embed_texts<S: AsRef<str>>(
        &self,
        texts: &[S],
    ) -> Result<(Vec<f32>, TokenCounts, usize)> {
        let tokens = texts
            .iter()
            .map(|text| self.tokenizer.encode(text.as_ref()))
            .collect::<Result<Vec<_>>>()?;
        let truncated = tokens.iter().filter(|t| t.truncated).count();
        let ids: Vec<Vec<u32>> = tokens.into_iter().map(|t| t.ids).collect();
        if ids.is_empty() {
            return Ok((Vec::new(), TokenCounts::default(), 0));
        }
        let (features, rows) = self.clip.text.encode(&ids);
        let mut features = read(features).await?;
        normalize_rows(&mut features, self.clip.config.projection_dim);
        Ok((features, rows, truncated))
    }

    /// Text features of class names: the normalized mean over templates of normalized features
    /// (CLIP's prompt ensembling).
    ///
    /// # Errors
    /// `labels/empty`, `labels/duplicate`, `labels/too-long`, `prompt/invalid-template`.
    pub async fn classes<S: AsRef<str>>(
        &self,
        labels: &[String],
        templates: &[S],
    ) -> Result<Classes> {
        validate(labels)?;
        let templates = Template::parse_all(templates)?;
        let (features, rows, truncated) = self.ensemble(labels, &templates).await?;
        let words = templates[0].words_before();
        let words = if words.is_empty() {
            DEFAULT_CONTEXT
        } else {
            words
        };
        let context = from_words(words, &self.clip.text, &self.tokenizer)?;
        let names = Names::new(
            labels,
            context.len() / self.clip.text.config.width,
            &self.tokenizer,
        )?;
        let texts = features.iter().map(|v| f64::from(*v)).collect();
        let head = Arc::new(TextHead::new(texts).with_context(context));
        let prompt: Vec<String> = templates.iter().map(ToString::to_string).collect();
        Ok(Classes {
            labels: labels.to_vec(),
            features,
            rows,
            truncated,
            names,
            templates,
            prompt_sha256: ordered_list_sha256(&prompt),
            head,
            sha256: OnceLock::new(),
            negatives: OnceLock::new(),
        })
    }

    /// The normalized mean over `templates` of the normalized features of `names`, [N, d].
    async fn ensemble<S: AsRef<str>>(
        &self,
        names: &[S],
        templates: &[Template],
    ) -> Result<(Vec<f32>, TokenCounts, usize)> {
        let texts: Vec<String> = templates
            .iter()
            .flat_map(|template| names.iter().map(|name| template.fill(name.as_ref())))
            .collect();
        let (all, rows, truncated) = self.embed_texts(&texts).await?;
        let d = self.clip.config.projection_dim;
        let mut features = vec![0f32; names.len() * d];
        for template in all.chunks(features.len()) {
            features
                .iter_mut()
                .zip(template)
                .for_each(|(sum, v)| *sum += v);
        }
        normalize_rows(&mut features, d);
        Ok((features, rows, truncated))
    }

    /// Cosines of one normalized image feature [d] with every class, [K].
    pub fn cosines(&self, feature: &[f32], classes: &Classes) -> Vec<f32> {
        classes
            .features
            .chunks_exact(feature.len())
            .map(|text| feature.iter().zip(text).map(|(a, b)| a * b).sum())
            .collect()
    }

    /// Classifies one image file.
    ///
    /// # Errors
    /// The `image/` codes, `options/invalid`, `engine/not-finite`, `gpu/lost`, and what `progress`
    /// returns.
    pub async fn classify(
        &self,
        classes: &Classes,
        bytes: &[u8],
        options: &ClassifyOptions,
        progress: &dyn Progress,
    ) -> Result<Classification> {
        let start = now();
        let image = decode(bytes, &Limits::default())?;
        let decoded = now();
        let mut timings = Timings {
            decode: decoded - start,
            ..Timings::default()
        };
        let wanted = match &options.ood {
            Some(ood) => Some(self.rejection(classes, options, ood, progress).await?),
            None => None,
        };
        let patches = options.heatmap == Some(HeatmapMethod::Patches)
            || wanted.as_ref().is_some_and(Rejection::needs_patches);
        let answered = self
            .answer(classes, &image, options, patches, &mut timings, progress)
            .await?;
        let texts = answered.texts.as_deref().unwrap_or(&classes.features);
        let seen = Seen {
            feature: &answered.feature,
            patches: &answered.patches,
            texts,
        };
        let ood = wanted.map(|wanted| wanted.judge(seen)).transpose()?;
        let heatmap = match options.heatmap {
            Some(method) => {
                let answering = Answering {
                    image: &image,
                    patches: &answered.patches,
                    texts,
                    predictions: &answered.predictions,
                };
                Some(self.heatmap(method, classes, &answering, progress).await?)
            }
            None => None,
        };
        timings.total = now() - start;
        Ok(Classification {
            predictions: answered.predictions,
            ood,
            tuning: answered.tuning,
            heatmap,
            timings,
        })
    }

    /// Everything about a decoded image but the verdict; with the features of its patches where
    /// `patches` is set.
    pub(crate) async fn answer(
        &self,
        classes: &Classes,
        image: &Rgb8,
        options: &ClassifyOptions,
        patches: bool,
        timings: &mut Timings,
        progress: &dyn Progress,
    ) -> Result<Answered> {
        let pictures = options.variants.is_some() || options.gallery.is_some();
        if pictures && options.tune != Method::DiffTptLite {
            return Err(Error::new(
                Kind::OptionInvalid,
                "Variants and a gallery are for difftpt-lite; choose it, or leave them out.",
            ));
        }
        let tuning = options.tune != Method::None;
        let (mut feature, mut local) = (Vec::new(), Vec::new());
        if patches || !tuning {
            let start = now();
            let view = self.plain_view(image)?;
            let made = now();
            timings.preprocess = made - start;
            progress.step("encode", 0, 1).await?;
            if patches {
                (feature, local) = self.embed_patches(&view).await?;
            } else {
                feature = self.embed_pixels(&view).await?;
            }
            timings.encode = now() - made;
            progress.step("encode", 1, 1).await?;
        }
        if tuning {
            let tuned = self
                .tuned(classes, image, options, timings, progress)
                .await?;
            return Ok(Answered {
                patches: local,
                ..tuned
            });
        }
        Ok(Answered {
            predictions: rank(&self.logits(&feature, classes).await?, &classes.labels),
            tuning: None,
            feature,
            patches: local,
            texts: None,
        })
    }
}

/// An answer on its way to the caller.
pub(crate) struct Answered {
    /// Most probable first.
    pub predictions: Vec<Prediction>,
    pub tuning: Option<Tuning>,
    /// L2-normalized feature of the plain view, [d].
    pub feature: Vec<f32>,
    /// L2-normalized features of its patches, [N, d]; empty where they were not asked for.
    pub patches: Vec<f32>,
    /// The tuned text features, [K, d]; none where those of the class list hold.
    pub texts: Option<Vec<f32>>,
}

/// Softmax of `logits` beside their labels, most probable first; equal ones keep their order.
pub fn rank(logits: &[f64], labels: &[String]) -> Vec<Prediction> {
    let top = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let exps: Vec<f64> = logits.iter().map(|z| (z - top).exp()).collect();
    let sum: f64 = exps.iter().sum();
    let mut predictions: Vec<Prediction> = labels
        .iter()
        .zip(exps)
        .map(|(label, e)| Prediction {
            label: label.clone(),
            probability: e / sum,
        })
        .collect();
    predictions.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    predictions
}
