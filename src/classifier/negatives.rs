//! Negative labels with their text features: mined from a vocabulary that is encoded once, or given.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Classes, Classifier};
use crate::error::{Error, Kind, Result};
use crate::math::MatrixView;
use crate::ood::negatives::{
    ADJECTIVE_TEMPLATE, Excluded, Excluder, MiningOptions, PartOfSpeech, Synonyms, Vocabulary,
    mine, similarities,
};
use crate::ood::threshold::ordered_list_sha256;
use crate::progress::Progress;
use crate::prompt::template::Template;

/// Texts that are encoded, or compared with the classes, between two steps of the watch.
const CHUNK: usize = 256;

/// The most negative labels that a user may give.
const MAX_GIVEN: usize = 50_000;

/// What an image may show instead of the classes.
#[derive(Debug, Clone)]
pub struct Negatives {
    /// The labels: mined ones by rising similarity to the classes, then those that were added.
    pub labels: Vec<String>,
    /// L2-normalized text features, [M, d].
    pub features: Vec<f32>,
    /// What was left out, and why.
    pub excluded: Vec<Excluded>,
    /// [`ordered_list_sha256`] of the labels.
    pub sha256: String,
    /// Whether the features come from a context that was learned for negative labels.
    pub learned: bool,
}

/// A vocabulary with its text features.
#[derive(Debug)]
struct VocabularyCache {
    vocabulary: Vocabulary,
    /// What the nouns stand in.
    templates: Vec<Template>,
    /// [words, d].
    features: Vec<f32>,
}

/// The vocabulary of a model: the bundled words unless others were set, encoded at first use for the
/// templates that were used last.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    own: Mutex<Option<Vocabulary>>,
    encoded: Mutex<Option<Arc<VocabularyCache>>>,
}

impl Classifier {
    /// Mines from `vocabulary` instead of the bundled words. Class lists keep the negative labels
    /// that they have.
    pub fn set_vocabulary(&self, vocabulary: Vocabulary) {
        *lock(&self.candidates.own) = Some(vocabulary);
        *lock(&self.candidates.encoded) = None;
    }

    /// Mines negative labels for `classes` (NegLabel, Jiang et al. 2024). Nouns stand in the
    /// templates of the classes, so that the prompt favors neither side, and adjectives in a
    /// sentence of their own.
    ///
    /// # Errors
    /// `negatives/empty` where no word is left, `options/invalid` for a share outside (0, 1],
    /// `negatives/invalid`, `engine/not-finite`, `gpu/lost`, and what `progress` returns.
    pub async fn negatives(
        &self,
        classes: &Classes,
        options: &MiningOptions<'_>,
        progress: &dyn Progress,
    ) -> Result<Arc<Negatives>> {
        let encoded = self.candidates(&classes.templates, progress).await?;
        let candidates = encoded.vocabulary.candidates();
        let d = self.clip.config.projection_dim;
        let texts = MatrixView::new(classes.features.as_slice(), d)?;
        let mut similar = Vec::with_capacity(candidates.len());
        for part in encoded.features.chunks(CHUNK * d) {
            let done = similar.len();
            progress.step("mining", done, candidates.len()).await?;
            similar.extend(similarities(MatrixView::new(part, d)?, texts)?);
        }
        let mined = mine(candidates, &similar, &classes.labels, options)?;
        if classes.head.negatives().is_some() {
            let labels: Vec<String> = mined.negatives.into_iter().map(|n| n.word).collect();
            let features = self
                .encode_negatives("negatives", &labels, classes, progress)
                .await?;
            return Ok(Negatives::new(labels, features, mined.excluded, classes));
        }
        let added: Vec<&str> = mined
            .negatives
            .iter()
            .filter(|n| n.candidate.is_none())
            .map(|n| n.word.as_str())
            .collect();
        let others = self
            .encode_negatives("negatives", &added, classes, progress)
            .await?;
        let mut others = others.chunks_exact(d);
        let mut features = Vec::with_capacity(mined.negatives.len() * d);
        for negative in &mined.negatives {
            match negative.candidate {
                Some(place) => {
                    features.extend_from_slice(&encoded.features[place * d..(place + 1) * d]);
                }
                None => features.extend(others.next().into_iter().flatten()),
            }
        }
        let labels = mined.negatives.into_iter().map(|n| n.word).collect();
        Ok(Negatives::new(labels, features, mined.excluded, classes))
    }

    /// Exactly these negative labels, in this order, but for words that name a class, repeat another
    /// or have no letter.
    ///
    /// # Errors
    /// `negatives/empty` where no word is left, `negatives/invalid` for more than 50,000 words,
    /// `labels/too-long`, `engine/not-finite`, `gpu/lost`, and what `progress` returns.
    pub async fn given_negatives(
        &self,
        classes: &Classes,
        words: &[String],
        progress: &dyn Progress,
    ) -> Result<Arc<Negatives>> {
        if words.len() > MAX_GIVEN {
            return Err(Error::new(
                Kind::NegativesInvalid,
                format!(
                    "Give at most {MAX_GIVEN} negative labels, not {}.",
                    words.len()
                ),
            ));
        }
        let excluder = Excluder::new(&classes.labels, &[], Synonyms::bundled());
        let mut seen = BTreeSet::new();
        let (mut labels, mut excluded) = (Vec::new(), Vec::new());
        for word in words {
            match excluder.reject_added(word, &mut seen) {
                Some(because) => excluded.push(Excluded {
                    word: word.clone(),
                    because,
                }),
                None => labels.push(word.trim().to_owned()),
            }
        }
        if labels.is_empty() {
            return Err(Error::new(
                Kind::NegativesEmpty,
                "No negative label is left: give words that name none of the classes.",
            ));
        }
        let features = self
            .encode_negatives("negatives", &labels, classes, progress)
            .await?;
        Ok(Negatives::new(labels, features, excluded, classes))
    }

    /// The negative labels of `classes`; where there are none yet, those of its prompt, or else mined
    /// with the defaults.
    pub(super) async fn negatives_of(
        &self,
        classes: &Classes,
        progress: &dyn Progress,
    ) -> Result<Arc<Negatives>> {
        if let Some(found) = classes.negatives.get() {
            return Ok(found.clone());
        }
        let words = classes.head.negatives().map(|l| &l.words[..]);
        let found = match self
            .given_negatives(classes, words.unwrap_or(&[]), progress)
            .await
        {
            Err(error) if error.kind() == Kind::NegativesEmpty => {
                self.negatives(classes, &MiningOptions::default(), progress)
                    .await?
            }
            found => found?,
        };
        Ok(classes.negatives.get_or_init(|| found).clone())
    }

    /// Features of `names` where negative labels of `classes` stand, [N, d], with a step of the watch
    /// before each chunk.
    async fn encode_negatives<S: AsRef<str>>(
        &self,
        stage: &'static str,
        names: &[S],
        classes: &Classes,
        progress: &dyn Progress,
    ) -> Result<Vec<f32>> {
        let d = self.clip.config.projection_dim;
        let mut features = Vec::with_capacity(names.len() * d);
        for (number, part) in names.chunks(CHUNK).enumerate() {
            progress.step(stage, number * CHUNK, names.len()).await?;
            match classes.head.negatives() {
                None => features.extend(self.ensemble(part, &classes.templates).await?),
                Some(learned) => {
                    let part: Vec<String> = part.iter().map(|n| n.as_ref().to_owned()).collect();
                    features.extend(learned.encode(self, &part).await?);
                }
            }
        }
        Ok(features)
    }

    /// The vocabulary with its features for nouns in `templates`.
    async fn candidates(
        &self,
        templates: &[Template],
        progress: &dyn Progress,
    ) -> Result<Arc<VocabularyCache>> {
        let ready = lock(&self.candidates.encoded).clone();
        if let Some(ready) = ready.filter(|ready| ready.templates == templates) {
            return Ok(ready);
        }
        let own = lock(&self.candidates.own).clone();
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
                features.extend(self.ensemble(&words, templates).await?);
            }
        }
        let encoded = Arc::new(VocabularyCache {
            vocabulary,
            templates: templates.to_vec(),
            features,
        });
        *lock(&self.candidates.encoded) = Some(encoded.clone());
        Ok(encoded)
    }
}

impl Negatives {
    fn new(
        labels: Vec<String>,
        features: Vec<f32>,
        excluded: Vec<Excluded>,
        classes: &Classes,
    ) -> Arc<Self> {
        Arc::new(Self {
            sha256: ordered_list_sha256(&labels),
            labels,
            features,
            excluded,
            learned: classes.head.negatives().is_some(),
        })
    }
}

/// A value is whole even where another thread panicked beside it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
