//! A loaded model: photos and texts to features. It knows no class list.

mod loading;
#[cfg(not(target_arch = "wasm32"))]
mod native;
mod prompt_model;
mod view_features;
mod vocabulary;

pub use loading::Loading;
#[cfg(not(target_arch = "wasm32"))]
pub use native::{check, convert};
pub use view_features::ViewFeatures;
pub use vocabulary::EncodedVocabulary;

use burn::tensor::Tensor;

use vocabulary::VocabularyCache;

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
use crate::math::normalize_rows;
use crate::prompt::text_encoder::Encoded;
#[cfg(not(target_arch = "wasm32"))]
use crate::quant::Quantization;
use crate::tokenize::{ClipTokenizer, KnownWords};

/// A loaded model: towers, tokenizer, preprocessing, and where it runs.
#[derive(Debug)]
pub struct Model {
    /// The towers.
    pub clip: Clip,
    /// The model's tokenizer.
    pub tokenizer: ClipTokenizer,
    /// The words that its text tower has read, if the model says so.
    pub known_words: Option<KnownWords>,
    /// The model's preprocessing.
    pub preprocess: Preprocess,
    /// Where it runs.
    pub processor: DeviceInfo,
    /// What was loaded.
    pub report: LoadReport,
    /// What the known answer showed. `None`: no answer is stored with the model.
    pub self_test: Option<Outcome>,
    /// Where the time of loading went.
    pub load_times: LoadTimes,
    /// The vocabulary of negative labels, encoded once.
    vocabulary: VocabularyCache,
}

impl Model {
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

    /// Those of `names` that hold a word which the text tower never read in training, so that answers
    /// for them are guesses; none if the model does not say what it has read.
    pub fn unknown_names<'a>(&self, names: &'a [String]) -> Vec<&'a str> {
        let unknown = |name: &&str| self.known_words.as_ref().is_some_and(|w| !w.know(name));
        names.iter().map(String::as_str).filter(unknown).collect()
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

    /// L2-normalized features [N, d] of crops of one photo, scaled on the device of the model.
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
}
