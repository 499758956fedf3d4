//! A model on its way in.

use super::Classifier;
use super::negatives::Candidates;
use crate::clip::Builder;
use crate::clip::config::ClipConfig;
use crate::device::Processor;
use crate::device::self_test::{self, KnownAnswer};
use crate::error::{Error, Kind, Result};
use crate::image::Preprocess;
use crate::tokenize::ClipTokenizer;
use crate::weights::{Loader, Quantisation};

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
            candidates: Candidates::default(),
        })
    }
}
