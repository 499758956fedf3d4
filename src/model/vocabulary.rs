//! The vocabulary that negative labels are mined from, with its text features.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Model;
use crate::error::Result;
use crate::ood::negatives::{ADJECTIVE_TEMPLATE, PartOfSpeech, Vocabulary};
use crate::progress::Progress;
use crate::prompt::template::Template;

/// Words that are encoded between two steps of the progress.
const CHUNK: usize = 256;

/// A vocabulary with its text features.
#[derive(Debug)]
pub struct EncodedVocabulary {
    /// The words.
    pub vocabulary: Vocabulary,
    /// What the nouns are put into.
    templates: Vec<Template>,
    /// L2-normalized, [words, d].
    pub features: Vec<f32>,
}

/// The vocabulary of a model: the bundled words unless others were set, encoded at first use for the
/// templates that were used last.
#[derive(Debug, Default)]
pub(super) struct VocabularyCache {
    own: Mutex<Option<Vocabulary>>,
    encoded: Mutex<Option<Arc<EncodedVocabulary>>>,
}

impl Model {
    /// Mines from `vocabulary` instead of the bundled words. Class lists keep the negative labels
    /// that they have.
    pub fn set_vocabulary(&self, vocabulary: Vocabulary) {
        *lock(&self.vocabulary.own) = Some(vocabulary);
        *lock(&self.vocabulary.encoded) = None;
    }

    /// The vocabulary with its features: nouns in `templates`, adjectives in a sentence of their own.
    ///
    /// # Errors
    /// `negatives/invalid`, `engine/not-finite`, `gpu/lost`, and what `progress` returns.
    pub async fn encoded_vocabulary(
        &self,
        templates: &[Template],
        progress: &dyn Progress,
    ) -> Result<Arc<EncodedVocabulary>> {
        let ready = lock(&self.vocabulary.encoded).clone();
        if let Some(ready) = ready.filter(|ready| ready.templates == templates) {
            return Ok(ready);
        }
        let own = lock(&self.vocabulary.own).clone();
        let vocabulary = match own {
            Some(own) => own,
            None => Vocabulary::bundled()?,
        };
        let d = self.clip.config.projection_dim;
        let adjective = [Template::parse(ADJECTIVE_TEMPLATE)?];
        let all = vocabulary.candidates();
        let mut features = Vec::with_capacity(all.len() * d);
        // Runs of one part of speech, so that one pass shares one sentence.
        for run in all.chunk_by(|a, b| a.part == b.part) {
            let templates = match run[0].part {
                PartOfSpeech::Noun => templates,
                PartOfSpeech::Adjective => &adjective,
            };
            for part in run.chunks(CHUNK) {
                let done = features.len() / d;
                progress.step("vocabulary", done, all.len()).await?;
                let words: Vec<&str> = part.iter().map(|c| c.word.as_str()).collect();
                let texts = self.text_encoder().templates(&words, templates).await?;
                features.extend(texts.rounded());
            }
        }
        let encoded = Arc::new(EncodedVocabulary {
            vocabulary,
            templates: templates.to_vec(),
            features,
        });
        *lock(&self.vocabulary.encoded) = Some(encoded.clone());
        Ok(encoded)
    }
}

/// Ignores poisoning: every write is a single assignment.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
