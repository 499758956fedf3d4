//! Loads a model in two steps: the small files, then the weights.

use std::cell::Cell;
use std::rc::Rc;

use super::Model;
use super::vocabulary::VocabularyCache;
use crate::checkpoint::{
    Keep, LoadReport, LoadTimes, Loader, Manifest, ModelFiles, ModelFolder, Weights,
};
use crate::clip::Builder;
use crate::device::Processor;
use crate::device::self_test::{self, KnownAnswer};
use crate::error::{Error, Kind, Result};
use crate::quant::Quantization;
use crate::tokenize::{ClipTokenizer, KnownWords, known_words};

/// A model whose small files have been read and checked. Its weights come next.
pub struct Loading {
    files: ModelFiles,
    builder: Builder,
    tokenizer: ClipTokenizer,
    known: Option<KnownAnswer>,
    known_words: Option<KnownWords>,
    processor: Processor,
    quantization: Option<Quantization>,
    report: Option<LoadReport>,
    times: Rc<Cell<LoadTimes>>,
}

impl Loading {
    /// Checks the small files in `folder` and prepares for the weights, which become `quantization`
    /// or stay as they are stored. `only` names the weights file if that is known.
    ///
    /// # Errors
    /// `config/...`, `tokenizer/...`, `weights/invalid`, and those of the folder.
    pub async fn start(
        folder: &impl ModelFolder,
        only: Option<&str>,
        quantization: Option<Quantization>,
        processor: Processor,
    ) -> Result<Self> {
        let files = ModelFiles::read(folder, only).await?;
        let text = &files.config.text;
        let tokenizer =
            ClipTokenizer::from_bytes(&files.tokenizer, text.context_length, text.vocab_size)?;
        let known = folder
            .small(self_test::FILE)
            .await?
            .as_deref()
            .map(serde_json::from_slice)
            .transpose()
            .map_err(|e| {
                Error::new(
                    Kind::WeightsInvalid,
                    format!("{} is damaged: {e}.", self_test::FILE),
                )
            })?;
        let known_words = folder.small(known_words::FILE).await?;
        let builder = Builder::new(files.config.clone(), processor.placement.clone());
        Ok(Self {
            files,
            builder,
            tokenizer,
            known,
            known_words: known_words.as_deref().map(KnownWords::from_bytes),
            processor,
            quantization,
            report: None,
            times: Rc::default(),
        })
    }

    /// What the small files say.
    pub fn files(&self) -> &ModelFiles {
        &self.files
    }

    /// What the weights were, once they have been read.
    pub fn report(&self) -> Option<&LoadReport> {
        self.report.as_ref()
    }

    /// Whether the weights come as a pack already.
    pub fn is_packed(&self) -> bool {
        matches!(self.files.weights, Weights::Pack(_))
    }

    /// Reads the weights. With `keep` they are also packed as they arrive; what comes back then is
    /// the manifest of that pack, whose `origin` is left open.
    ///
    /// # Errors
    /// `weights/...`, and those of the folder and of `keep`.
    pub async fn weights(
        &mut self,
        folder: &impl ModelFolder,
        keep: Option<&mut Keep<'_>>,
    ) -> Result<Option<Manifest>> {
        let Self { files, builder, .. } = self;
        let loader = Loader::new(&files.config, self.quantization);
        self.times = loader.times();
        let Some(keep) = keep else {
            let mut put = |name: &str, tensor| builder.put(name, tensor);
            self.report = Some(files.load(folder, loader, &mut put).await?);
            return Ok(None);
        };
        let (report, manifest) = files
            .pack(
                folder,
                loader,
                self.quantization,
                keep,
                &mut |name, tensor| builder.put(name, tensor),
            )
            .await?;
        self.report = Some(report);
        Ok(Some(manifest))
    }

    /// Runs the self-test and gives the finished model.
    ///
    /// # Errors
    /// `weights/missing-tensor`, `gpu/self-test-failed`, and `engine/internal` before the weights.
    pub async fn finish(self) -> Result<Model> {
        let report = self
            .report
            .ok_or_else(|| Error::new(Kind::Internal, "The weights were not read."))?;
        let clip = self.builder.finish()?;
        let self_test = match &self.known {
            Some(known) => Some(self_test::run(&clip, known, self.quantization.is_some()).await?),
            None => None,
        };
        Ok(Model {
            clip,
            tokenizer: self.tokenizer,
            known_words: self.known_words,
            preprocess: self.files.preprocess,
            processor: self.processor.info,
            report,
            self_test,
            load_times: self.times.get(),
            vocabulary: VocabularyCache::default(),
        })
    }
}
