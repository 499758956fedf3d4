//! Negative labels for any list of class names, mined from a vocabulary (NegLabel, Jiang et al.
//! 2024): the words that are least similar to the classes.
//!
//! The similarity of a candidate is the 0.95 quantile of its cosines to all classes, since the
//! maximum is at the mercy of one odd class. The lowest share of the nouns and, separately, of the
//! adjectives is kept. Words that name a class, or come too close to one as words, are left out
//! first, and the user may strike and add words.

mod exclude;
mod phrase;
mod synonyms;
mod vocabulary;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};
use crate::math::check_finite;
use crate::math::{MatrixView, dot, same_width};

pub use exclude::{ExcludedBecause, Excluder};
pub use synonyms::Synonyms;
pub use vocabulary::{Candidate, MAX_WORDS, PartOfSpeech, Vocabulary};

/// The quantile of the cosines to the classes that stands for a candidate's similarity.
pub const QUANTILE: f64 = 0.95;
/// The share of nouns and of adjectives that is kept.
pub const SHARE: f64 = 0.15;
/// The template for adjectives; nouns stand in those of the class names.
pub const ADJECTIVE_TEMPLATE: &str = "This is a {} photo";

/// How to mine.
#[derive(Debug, Clone, PartialEq)]
pub struct MiningOptions<'a> {
    /// The share of nouns and of adjectives that is kept, in (0, 1].
    pub share: f64,
    /// Words never to use.
    pub struck: &'a [String],
    /// Words to use whatever their similarity, in this order, after the mined ones.
    pub added: &'a [String],
}

impl Default for MiningOptions<'_> {
    fn default() -> Self {
        Self {
            share: SHARE,
            struck: &[],
            added: &[],
        }
    }
}

/// A word used as a negative label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Negative {
    /// The word as the vocabulary or the user wrote it.
    pub word: String,
    /// Where it stands in the vocabulary; `None` if the user added it.
    pub candidate: Option<usize>,
    /// Its [`QUANTILE`] similarity to the classes; `None` if the user added it.
    pub similarity: Option<f64>,
}

/// A word that was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excluded {
    /// The word as the vocabulary or the user wrote it.
    pub word: String,
    /// Why.
    pub because: ExcludedBecause,
}

/// What mining gives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mined {
    /// The least similar first (ties in the order of the vocabulary), then the user's words.
    pub negatives: Vec<Negative>,
    /// In the order of the vocabulary, then of the user's words.
    pub excluded: Vec<Excluded>,
}

/// The [`QUANTILE`] similarity of every candidate to the classes, `[candidates]`. Both are
/// L2-normalized text features of one model.
///
/// # Errors
/// `labels/empty` without classes, `engine/not-finite` for NaN or infinity, `engine/internal` if
/// the widths differ.
pub fn similarities<A, B>(
    candidates: MatrixView<'_, A>,
    classes: MatrixView<'_, B>,
) -> Result<Vec<f64>>
where
    A: Copy + Into<f64>,
    B: Copy + Into<f64>,
{
    same_width(candidates.width(), classes.width())?;
    let mut cosines = vec![0f64; classes.len()];
    candidates
        .iter()
        .map(|candidate| {
            for (cosine, class) in cosines.iter_mut().zip(classes.iter()) {
                *cosine = dot(candidate, class);
            }
            quantile(&mut cosines, QUANTILE)
        })
        .collect()
}

/// The `q` quantile of `values` by linear interpolation between order statistics (NumPy's default);
/// reorders them.
///
/// # Errors
/// `labels/empty` if there are none, `engine/not-finite` for NaN or infinity.
pub fn quantile(values: &mut [f64], q: f64) -> Result<f64> {
    if values.is_empty() {
        return Err(Error::new(
            Kind::LabelsEmpty,
            "Give at least one class name.",
        ));
    }
    check_finite(values, "similarities to the class names")?;
    let at = q.clamp(0.0, 1.0) * (values.len() - 1) as f64;
    let below = at.floor() as usize;
    let (_, low, rest) = values.select_nth_unstable_by(below, f64::total_cmp);
    let high = rest.iter().copied().fold(f64::INFINITY, f64::min);
    let high = if rest.is_empty() { *low } else { high };
    Ok(*low + (high - *low) * (at - below as f64))
}

/// The indices of `values` from the lowest value to the highest; equal values keep their order.
pub fn ascending(values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    order
}

/// The `n` highest of `values`, highest first; equal values keep their order. With an image's
/// cosines to the negatives these are the hints at what it may show instead.
pub fn nearest(values: &[f64], n: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*b].total_cmp(&values[*a]));
    order.truncate(n);
    order
}

/// Chooses the negative labels for `classes` among `candidates`, whose [`similarities`] are given.
///
/// # Errors
/// `labels/empty` without classes, `options/invalid` for a share outside (0, 1],
/// `engine/not-finite`, `negatives/empty` if no word is left, `engine/internal` if there is
/// not one similarity per candidate.
pub fn mine<S: AsRef<str>>(
    candidates: &[Candidate],
    similarities: &[f64],
    classes: &[S],
    options: &MiningOptions<'_>,
) -> Result<Mined> {
    check(candidates, similarities, classes.len(), options)?;
    let excluder = Excluder::new(classes, options.struck, Synonyms::bundled());
    let mut seen = BTreeSet::new();
    let mut excluded = Vec::new();
    let mut left: [Vec<usize>; 2] = [Vec::new(), Vec::new()];
    for (index, candidate) in candidates.iter().enumerate() {
        match excluder.reject(&candidate.word, &mut seen) {
            Some(because) => excluded.push(Excluded {
                word: candidate.word.clone(),
                because,
            }),
            None => left[usize::from(candidate.part == PartOfSpeech::Adjective)].push(index),
        }
    }
    let by_similarity =
        |a: &usize, b: &usize| similarities[*a].total_cmp(&similarities[*b]).then(a.cmp(b));
    let mut kept = Vec::new();
    for mut part in left {
        part.sort_by(by_similarity);
        part.truncate(share_of(part.len(), options.share));
        kept.extend(part);
    }
    kept.sort_by(by_similarity);
    let mut negatives: Vec<Negative> = kept
        .into_iter()
        .map(|index| Negative {
            word: candidates[index].word.clone(),
            candidate: Some(index),
            similarity: Some(similarities[index]),
        })
        .collect();
    add(&mut negatives, &mut excluded, &excluder, options.added);
    if negatives.is_empty() {
        return Err(Error::new(
            Kind::NegativesEmpty,
            "No word is left as a negative label: use a larger word list or add words.",
        ));
    }
    Ok(Mined {
        negatives,
        excluded,
    })
}

/// The places of mined negatives with those at the end that groups leave out if they do not divide
/// them: the adjectives most similar to the classes, and when these are used up such nouns, as NegLabel's
/// authors do; the user's words are the last to go.
pub fn by_worth(negatives: &[Negative], candidates: &[Candidate]) -> Vec<usize> {
    let kind = |place: &usize| {
        negatives[*place]
            .candidate
            .map(|index| candidates[index].part)
    };
    // Words of one kind stand in the order of their similarity already.
    let kinds = [
        None,
        Some(PartOfSpeech::Noun),
        Some(PartOfSpeech::Adjective),
    ];
    let of = |wanted| (0..negatives.len()).filter(move |place| kind(place) == wanted);
    kinds.into_iter().flat_map(of).collect()
}

/// The user's words are taken even if they are close to a class, but not if they name one or
/// are there already.
fn add(
    negatives: &mut Vec<Negative>,
    excluded: &mut Vec<Excluded>,
    excluder: &Excluder,
    added: &[String],
) {
    let mut seen: BTreeSet<String> = negatives.iter().map(|n| phrase::normal(&n.word)).collect();
    for word in added {
        match excluder.reject_added(word, &mut seen) {
            Some(because) => excluded.push(Excluded {
                word: word.clone(),
                because,
            }),
            None => negatives.push(Negative {
                word: word.trim().to_owned(),
                candidate: None,
                similarity: None,
            }),
        }
    }
}

/// ⌊share · n⌋ but at least 1 of a non-empty part; the small term keeps 0.15 · 100 from falling to
/// 14 in f64.
fn share_of(n: usize, share: f64) -> usize {
    ((n as f64 * share + 1e-9).floor() as usize).max(1).min(n)
}

fn check(
    candidates: &[Candidate],
    similarities: &[f64],
    classes: usize,
    options: &MiningOptions<'_>,
) -> Result<()> {
    if classes == 0 {
        return Err(Error::new(
            Kind::LabelsEmpty,
            "Give at least one class name.",
        ));
    }
    if !(options.share > 0.0 && options.share <= 1.0) {
        return Err(Error::new(
            Kind::OptionInvalid,
            format!(
                "The share of words to keep must be in (0, 1], not {}.",
                options.share
            ),
        ));
    }
    if candidates.len() != similarities.len() {
        return Err(Error::new(
            Kind::Internal,
            format!(
                "{} words have {} similarities.",
                candidates.len(),
                similarities.len()
            ),
        ));
    }
    check_finite(similarities, "similarities of the words")
}
