//! Negative labels with their text features: mined from the vocabulary of the model, or given.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::ClassSet;
use crate::error::{Error, Kind, Result};
use crate::math::MatrixView;
use crate::model::Model;
use crate::ood::negatives::{
    Excluded, Excluder, MiningOptions, Synonyms, by_worth, mine, similarities,
};
use crate::ood::score::dealt;
use crate::ood::threshold::ordered_list_sha256;
use crate::progress::Progress;

/// Texts that are encoded, or compared with the classes, between two steps of the progress.
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
    /// Whether the features come from a context that was learned for negative labels.
    pub learned: bool,
    /// The places of the labels, with those at the end that groups leave out if they do not divide
    /// them.
    pub by_worth: Vec<usize>,
}

impl ClassSet {
    /// Mines negative labels (NegLabel, Jiang et al. 2024). Nouns stand in the
    /// templates of the classes, so that the prompt favors neither side, and adjectives in a
    /// sentence of their own.
    ///
    /// # Errors
    /// `negatives/empty` if no word is left, `options/invalid` for a share outside (0, 1],
    /// `negatives/invalid`, `engine/not-finite`, `gpu/lost`, and what `progress` returns.
    pub async fn mine_negatives(
        &self,
        model: &Model,
        options: &MiningOptions<'_>,
        progress: &dyn Progress,
    ) -> Result<Arc<Negatives>> {
        let encoded = model.encoded_vocabulary(&self.templates, progress).await?;
        let candidates = encoded.vocabulary.candidates();
        let d = model.clip.config.projection_dim;
        let texts = MatrixView::new(self.features.as_slice(), d)?;
        let mut similar = Vec::with_capacity(candidates.len());
        for part in encoded.features.chunks(CHUNK * d) {
            let done = similar.len();
            progress.step("mining", done, candidates.len()).await?;
            similar.extend(similarities(MatrixView::new(part, d)?, texts)?);
        }
        let mined = mine(candidates, &similar, &self.labels, options)?;
        let order = by_worth(&mined.negatives, candidates);
        if self.head.negatives().is_some() {
            let labels: Vec<String> = mined.negatives.into_iter().map(|n| n.word).collect();
            let features = self.encode_negatives(model, &labels, progress).await?;
            return Ok(Negatives::new(
                labels,
                features,
                mined.excluded,
                order,
                self,
            ));
        }
        let added: Vec<&str> = mined
            .negatives
            .iter()
            .filter(|n| n.candidate.is_none())
            .map(|n| n.word.as_str())
            .collect();
        let others = self.encode_negatives(model, &added, progress).await?;
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
        Ok(Negatives::new(
            labels,
            features,
            mined.excluded,
            order,
            self,
        ))
    }

    /// Exactly these negative labels, in this order, but for words that name a class, repeat another
    /// or have no letter.
    ///
    /// # Errors
    /// `negatives/empty` if no word is left, `negatives/invalid` for more than 50,000 words,
    /// `labels/too-long`, `engine/not-finite`, `gpu/lost`, and what `progress` returns.
    pub async fn given_negatives(
        &self,
        model: &Model,
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
        let excluder = Excluder::new(&self.labels, &[], Synonyms::bundled());
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
        let features = self.encode_negatives(model, &labels, progress).await?;
        let order = (0..labels.len()).collect();
        Ok(Negatives::new(labels, features, excluded, order, self))
    }

    /// The negative labels in use. If there are none yet: those of the prompt, or else mined with the
    /// defaults.
    pub(super) async fn negatives_or_mined(
        &self,
        model: &Model,
        progress: &dyn Progress,
    ) -> Result<Arc<Negatives>> {
        if let Some(found) = self.negatives.get() {
            return Ok(found.clone());
        }
        let words = self.head.negatives().map(|l| &l.words[..]);
        let found = match self
            .given_negatives(model, words.unwrap_or(&[]), progress)
            .await
        {
            Err(error) if error.kind() == Kind::NegativesEmpty => {
                self.mine_negatives(model, &MiningOptions::default(), progress)
                    .await?
            }
            found => found?,
        };
        Ok(self.negatives.get_or_init(|| found).clone())
    }

    /// Features of negative labels, [N, d], with a step of the progress before each chunk.
    async fn encode_negatives<S: AsRef<str>>(
        &self,
        model: &Model,
        names: &[S],
        progress: &dyn Progress,
    ) -> Result<Vec<f32>> {
        let d = model.clip.config.projection_dim;
        let mut features = Vec::with_capacity(names.len() * d);
        for (number, part) in names.chunks(CHUNK).enumerate() {
            progress
                .step("negatives", number * CHUNK, names.len())
                .await?;
            match self.head.negatives() {
                None => features.extend(
                    model
                        .text_encoder()
                        .templates(part, &self.templates)
                        .await?
                        .rounded(),
                ),
                Some(learned) => {
                    let part: Vec<String> = part.iter().map(|n| n.as_ref().to_owned()).collect();
                    features.extend(learned.encode(model, &part).await?);
                }
            }
        }
        Ok(features)
    }
}

impl Negatives {
    fn new(
        labels: Vec<String>,
        features: Vec<f32>,
        excluded: Vec<Excluded>,
        by_worth: Vec<usize>,
        classes: &ClassSet,
    ) -> Arc<Self> {
        Arc::new(Self {
            labels,
            features,
            excluded,
            learned: classes.head.negatives().is_some(),
            by_worth,
        })
    }

    /// The places of the labels that `groups` equal groups take, in their order, and
    /// [`ordered_list_sha256`] of these labels.
    pub fn dealt(&self, groups: usize) -> (Vec<usize>, String) {
        let mut places = self.by_worth[..dealt(self.labels.len(), groups)].to_vec();
        places.sort_unstable();
        let labels: Vec<&String> = places.iter().map(|place| &self.labels[*place]).collect();
        let sha256 = ordered_list_sha256(&labels);
        (places, sha256)
    }
}
