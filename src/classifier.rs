//! The one object users hold: class names in, images in, answers out.

use serde::Serialize;

use crate::clip::config::ClipConfig;
use crate::clip::text::Rows;
use crate::clip::{Builder, Clip, normalise_rows, read};
use crate::clock::now;
use crate::device::self_test::{self, KnownAnswer, Outcome};
use crate::device::{Choice, DeviceInfo, Probe, Processor};
use crate::error::{Error, Kind, Result};
use crate::image::{Limits, Preprocess, decode, resize_crop, to_chw};
use crate::prompt::template::Template;
use crate::tokenize::{ClipTokenizer, validate};
use crate::weights::{Loader, Quantisation, Report};

/// The small files of a model directory. The weights come as a stream.
#[derive(Debug, Clone, Default)]
pub struct ModelFiles {
    /// `config.json`.
    pub config: Option<Vec<u8>>,
    /// `tokenizer.json`.
    pub tokenizer: Option<Vec<u8>>,
    /// `preprocessor_config.json`; CLIP's own preprocessing at the model's size where it is absent.
    pub preprocessor: Option<Vec<u8>>,
    /// [`self_test::FILE`].
    pub self_test: Option<Vec<u8>>,
}

/// A model on its way in: takes the weights in pieces of any size.
pub struct Loading {
    loader: Loader,
    builder: Builder,
    tokenizer: ClipTokenizer,
    preprocess: Preprocess,
    known: Option<KnownAnswer>,
    processor: Processor,
}

impl Loading {
    /// Checks the small files and prepares for the weights, which become `quantisation` or stay as
    /// they are stored.
    ///
    /// # Errors
    /// `config/missing`, `config/invalid`, `tokenizer/missing`, `tokenizer/invalid`,
    /// `weights/invalid`.
    pub fn new(
        files: &ModelFiles,
        quantisation: Option<Quantisation>,
        processor: Processor,
    ) -> Result<Self> {
        let absent = |kind, name: &str| {
            Error::new(
                kind,
                format!("The model has no {name}. A model directory needs one."),
            )
        };
        let config = files
            .config
            .as_deref()
            .ok_or_else(|| absent(Kind::ConfigMissing, "config.json"))?;
        let config = ClipConfig::from_json(config)?;
        let text = &config.text;
        let tokenizer = files
            .tokenizer
            .as_deref()
            .ok_or_else(|| absent(Kind::TokenizerMissing, "tokenizer.json"))?;
        let tokenizer = ClipTokenizer::from_bytes(tokenizer, text.context_length, text.vocab_size)?;
        let size = u32::try_from(config.vision.image_size).unwrap_or(u32::MAX);
        let preprocess = match &files.preprocessor {
            Some(json) => Preprocess::from_json(json)?,
            None => Preprocess::clip(size),
        };
        if (preprocess.crop_width, preprocess.crop_height) != (size, size) {
            return Err(Error::new(
                Kind::ConfigInvalid,
                format!(
                    "preprocessor_config.json crops to {} x {} but the model takes {size} x {size}.",
                    preprocess.crop_width, preprocess.crop_height
                ),
            ));
        }
        let known = files
            .self_test
            .as_deref()
            .map(serde_json::from_slice)
            .transpose()
            .map_err(|e| {
                Error::new(
                    Kind::WeightsInvalid,
                    format!("{} is damaged: {e}.", self_test::FILE),
                )
            })?;
        Ok(Self {
            loader: Loader::new(&config, quantisation),
            builder: Builder::new(config, processor.device.clone()),
            tokenizer,
            preprocess,
            known,
            processor,
        })
    }

    /// Takes the next bytes of the weights.
    ///
    /// # Errors
    /// Those of [`Loader::push`].
    pub fn push(&mut self, bytes: &[u8]) -> Result<()> {
        let Self {
            loader, builder, ..
        } = self;
        loader.push(bytes, &mut |name, tensor| builder.put(name, tensor))
    }

    /// Bytes taken so far, and of the whole file once that is known.
    pub fn progress(&self) -> (u64, Option<u64>) {
        (self.loader.taken(), self.loader.total())
    }

    /// Ends the weights and runs the self-test.
    ///
    /// # Errors
    /// `weights/invalid`, `weights/missing-tensor`, `gpu/self-test-failed`.
    pub async fn finish(self, quantisation: Option<Quantisation>) -> Result<Classifier> {
        let report = self.loader.finish()?;
        let clip = self.builder.finish()?;
        let requantised = quantisation.is_some();
        let self_test = match &self.known {
            Some(known) => Some(self_test::run(&clip, known, requantised).await?),
            None => None,
        };
        Ok(Classifier {
            clip,
            tokenizer: self.tokenizer,
            preprocess: self.preprocess,
            processor: self.processor.info,
            report,
            self_test,
        })
    }
}

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
    pub report: Report,
    /// What the known answer showed; none where the model has no stored one.
    pub self_test: Option<Outcome>,
}

/// Class names with their text features: made once, used for every image.
#[derive(Debug, Clone)]
pub struct Classes {
    /// The names as given.
    pub labels: Vec<String>,
    /// L2-normalised text features [K, d].
    pub features: Vec<f32>,
    /// How many token rows it took.
    pub rows: Rows,
    /// Names whose prompt was cut to the context length.
    pub truncated: usize,
}

/// One class of an answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Prediction {
    /// The class name as given.
    pub label: String,
    /// Softmax over all classes of `logit_scale` times the cosine.
    pub probability: f64,
}

/// Milliseconds per stage.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Timings {
    /// File to pixels.
    pub decode: f64,
    /// Pixels to the model's input.
    pub preprocess: f64,
    /// Input to features.
    pub encode: f64,
    /// Test-time tuning.
    pub tune: f64,
    /// All of it.
    pub total: f64,
}

/// The answer for one image.
#[derive(Debug, Clone, Serialize)]
pub struct Classification {
    /// All classes, most probable first; equal ones in the order given.
    pub predictions: Vec<Prediction>,
    /// Time per stage.
    pub timings: Timings,
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
        quantisation: Option<Quantisation>,
    ) -> Result<Self> {
        crate::classifier_native::open(
            dir,
            crate::device::open(choice, None::<&Probe>).await?,
            quantisation,
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
        let pixels = to_chw(&resize_crop(&image, &self.preprocess)?, &self.preprocess);
        Ok((pixels, decoded - start, now() - decoded))
    }

    /// L2-normalised features [B, d] of preprocessed images [B, 3, S, S].
    ///
    /// # Errors
    /// `engine/not-finite`, `gpu/lost`.
    pub async fn embed_pixels(&self, pixels: &[f32]) -> Result<Vec<f32>> {
        let mut features = read(self.clip.vision.encode(pixels)).await?;
        normalise_rows(&mut features, self.clip.config.projection_dim);
        Ok(features)
    }

    /// L2-normalised features [d] of one image file.
    ///
    /// # Errors
    /// The `image/` codes, `engine/not-finite`, `gpu/lost`.
    pub async fn embed_image(&self, bytes: &[u8]) -> Result<Vec<f32>> {
        let (pixels, ..) = self.pixels(bytes)?;
        self.embed_pixels(&pixels).await
    }

    /// L2-normalised features [N, d] of texts, how many token rows they took, and how many texts
    /// were cut to the context length.
    ///
    /// # Errors
    /// `labels/too-long`, `engine/not-finite`, `gpu/lost`.
    pub async fn embed_texts<S: AsRef<str>>(&self, texts: &[S]) -> Result<(Vec<f32>, Rows, usize)> {
        let tokens = texts
            .iter()
            .map(|text| self.tokenizer.encode(text.as_ref()))
            .collect::<Result<Vec<_>>>()?;
        let truncated = tokens.iter().filter(|t| t.truncated).count();
        let ids: Vec<Vec<u32>> = tokens.into_iter().map(|t| t.ids).collect();
        if ids.is_empty() {
            return Ok((Vec::new(), Rows::default(), 0));
        }
        let (features, rows) = self.clip.text.encode(&ids);
        let mut features = read(features).await?;
        normalise_rows(&mut features, self.clip.config.projection_dim);
        Ok((features, rows, truncated))
    }

    /// Text features of class names: the normalised mean over templates of normalised features
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
        let texts: Vec<String> = templates
            .iter()
            .flat_map(|template| labels.iter().map(|label| template.fill(label)))
            .collect();
        let (all, rows, truncated) = self.embed_texts(&texts).await?;
        let d = self.clip.config.projection_dim;
        let mut features = vec![0f32; labels.len() * d];
        for template in all.chunks(labels.len() * d) {
            features
                .iter_mut()
                .zip(template)
                .for_each(|(sum, v)| *sum += v);
        }
        normalise_rows(&mut features, d);
        Ok(Classes {
            labels: labels.to_vec(),
            features,
            rows,
            truncated,
        })
    }

    /// Cosines of one normalised image feature [d] with every class, [K].
    pub fn cosines(&self, feature: &[f32], classes: &Classes) -> Vec<f32> {
        classes
            .features
            .chunks_exact(feature.len())
            .map(|text| feature.iter().zip(text).map(|(a, b)| a * b).sum())
            .collect()
    }

    /// Probabilities from cosines, most probable first.
    pub fn predictions(&self, cosines: &[f32], classes: &Classes) -> Vec<Prediction> {
        let logits: Vec<f64> = cosines
            .iter()
            .map(|c| f64::from(self.clip.logit_scale) * f64::from(*c))
            .collect();
        let top = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let exps: Vec<f64> = logits.iter().map(|z| (z - top).exp()).collect();
        let sum: f64 = exps.iter().sum();
        let mut predictions: Vec<Prediction> = classes
            .labels
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

    /// Classifies one image file.
    ///
    /// # Errors
    /// The `image/` codes, `engine/not-finite`, `gpu/lost`.
    pub async fn classify(&self, classes: &Classes, bytes: &[u8]) -> Result<Classification> {
        let start = now();
        let (pixels, decode, preprocess) = self.pixels(bytes)?;
        let encoding = now();
        let feature = self.embed_pixels(&pixels).await?;
        let encode = now() - encoding;
        let predictions = self.predictions(&self.cosines(&feature, classes), classes);
        let timings = Timings {
            decode,
            preprocess,
            encode,
            tune: 0.0,
            total: now() - start,
        };
        Ok(Classification {
            predictions,
            timings,
        })
    }
}
