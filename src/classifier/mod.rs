//! The one object users hold: class names in, images in, answers out.

mod answer;
mod answerer;
mod calibrate;
mod detector;
mod heatmap;
mod loading;
mod model;
#[cfg(not(target_arch = "wasm32"))]
mod native;
mod negatives;
mod tuning;
mod view_features;
mod with_prompt;

pub use answer::{
    Classes, Classification, ClassifyOptions, KeptView, Prediction, Timings, TuningReport,
};
pub(crate) use answerer::Answered;
pub use answerer::{Answerer, Ranked, named};
pub use calibrate::{Calibrated, Calibrator};
pub use detector::{DEFAULT_SCORE, Detector, OodOptions, Seen, Verdict};
pub use loading::Loading;
#[cfg(not(target_arch = "wasm32"))]
pub use native::{check, convert};
pub use negatives::Negatives;

use std::sync::{Arc, OnceLock};

use burn::tensor::Tensor;

use negatives::Candidates;

use crate::checkpoint::{LoadReport, LoadTimes};
use crate::clip::Clip;
use crate::clip::text::TokenCounts;
use crate::clock::now;
use crate::device::DeviceInfo;
use crate::device::self_test::Outcome;
#[cfg(not(target_arch = "wasm32"))]
use crate::device::{Choice, Probe};
use crate::error::Result;
use crate::image::views::Crop;
use crate::image::{Limits, Preprocess, Rgb8, decode, resize_crop, to_chw};
use crate::kernels::photo::Photo;
use crate::kernels::read;
use crate::math::{normalize_rows, softmax};
use crate::ood::threshold::ordered_list_sha256;
use crate::prompt::heads::texts::TextHead;
use crate::prompt::layout::PromptLayout;
use crate::prompt::template::Template;
use crate::prompt::text_encoder::Encoded;
use crate::prompt::tokens::PromptTokens;
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
        let patches = photo.patches(crops, &self.preprocess, vision.patch_size())?;
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
        let Encoded {
            mut features,
            rows,
            truncated,
        } = self.text_encoder().texts(texts).await?;
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
        let encoder = self.text_encoder();
        let texts = encoder.templates(labels, &templates).await?;
        let words = templates[0].words_before();
        let words = if words.is_empty() {
            DEFAULT_CONTEXT
        } else {
            words
        };
        let context = encoder.words(words)?;
        let layout = PromptLayout::end(context.len() / self.clip.text.config.width);
        let names = PromptTokens::new(labels, &layout, &self.tokenizer)?;
        let prompt: Vec<String> = templates.iter().map(ToString::to_string).collect();
        Ok(Classes {
            labels: labels.to_vec(),
            features: texts.rounded(),
            rows: texts.rows,
            truncated: texts.truncated,
            names: Arc::new(names),
            templates,
            prompt_sha256: ordered_list_sha256(&prompt),
            head: Arc::new(TextHead::new(texts.features).with_context(context)),
            sha256: OnceLock::new(),
            negatives: OnceLock::new(),
        })
    }

    /// The normalized mean over `templates` of the normalized features of `names`, [N, d].
    async fn ensemble<S: AsRef<str>>(
        &self,
        names: &[S],
        templates: &[Template],
    ) -> Result<Vec<f32>> {
        let texts = self.text_encoder().templates(names, templates).await?;
        Ok(texts.rounded())
    }

    /// Cosines of one normalized image feature [d] with every class, [K].
    pub fn cosines(&self, feature: &[f32], classes: &Classes) -> Vec<f32> {
        classes
            .features
            .chunks_exact(feature.len())
            .map(|text| feature.iter().zip(text).map(|(a, b)| a * b).sum())
            .collect()
    }
}

/// Softmax of `logits`, most probable first; equal ones keep their order.
pub fn rank(logits: &[f64]) -> Vec<Ranked> {
    let probabilities = softmax(logits, 1.0);
    let mut ranking: Vec<Ranked> = probabilities
        .into_iter()
        .enumerate()
        .map(|(class, probability)| Ranked { class, probability })
        .collect();
    ranking.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    ranking
}
