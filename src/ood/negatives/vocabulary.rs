//! Word lists: the bundled one, and those that a user loads.

use std::collections::BTreeSet;

use super::phrase::normal;
use crate::error::{Error, Kind, Result};

/// The most words that one vocabulary may hold.
pub const MAX_WORDS: usize = 200_000;
/// The longest word list that is read, in bytes.
const MAX_BYTES: usize = 8 * 1024 * 1024;
/// The longest single word, in characters.
const MAX_CHARS: usize = 100;

/// What a word is, which decides its template and the share that it competes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartOfSpeech {
    /// Put where a class name stands.
    Noun,
    /// Put into [`ADJECTIVE_TEMPLATE`](super::ADJECTIVE_TEMPLATE).
    Adjective,
}

/// A word that may become a negative label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The word or short phrase.
    pub word: String,
    /// Noun or adjective.
    pub part: PartOfSpeech,
}

/// Candidates in a fixed order, without duplicates.
#[derive(Debug, Clone, Default)]
pub struct Vocabulary {
    candidates: Vec<Candidate>,
    known: BTreeSet<String>,
}

impl Vocabulary {
    /// The bundled nouns and adjectives.
    ///
    /// # Errors
    /// `negatives/invalid`; the crate's tests exclude it.
    pub fn bundled() -> Result<Self> {
        let mut all = Self::default();
        all.extend(include_bytes!("../words/nouns.txt"), PartOfSpeech::Noun)?;
        all.extend(
            include_bytes!("../words/adjectives.txt"),
            PartOfSpeech::Adjective,
        )?;
        Ok(all)
    }

    /// Adds the words of a list: UTF-8, one per line; empty lines and lines that start with `#` are
    /// skipped, and so are words that are there already (a word that is noun and adjective stays
    /// what it was first). Returns how many were added.
    ///
    /// # Errors
    /// `negatives/invalid` for a list that is too long or no UTF-8, or a word that is too long. The
    /// vocabulary then keeps what it held.
    pub fn extend(&mut self, list: &[u8], part: PartOfSpeech) -> Result<usize> {
        let invalid = |why: String| Error::new(Kind::NegativesInvalid, why);
        if list.len() > MAX_BYTES {
            return Err(invalid(format!(
                "The word list is larger than {MAX_BYTES} bytes."
            )));
        }
        let text = std::str::from_utf8(list)
            .map_err(|_| invalid("The word list is not UTF-8 text.".to_owned()))?;
        let mut added: Vec<Candidate> = Vec::new();
        let mut new = BTreeSet::new();
        for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let word = line.trim();
            if word.is_empty() || word.starts_with('#') {
                continue;
            }
            if word.chars().count() > MAX_CHARS || word.chars().any(char::is_control) {
                return Err(invalid(format!(
                    "Line {} of the word list is no word: keep each below {MAX_CHARS} characters.",
                    number + 1
                )));
            }
            let key = normal(word);
            if key.is_empty() || self.known.contains(&key) || !new.insert(key) {
                continue;
            }
            added.push(Candidate {
                word: word.to_owned(),
                part,
            });
            if self.candidates.len() + added.len() > MAX_WORDS {
                return Err(invalid(format!(
                    "The word list holds more than {MAX_WORDS} words."
                )));
            }
        }
        let count = added.len();
        self.known.append(&mut new);
        self.candidates.append(&mut added);
        Ok(count)
    }

    /// The candidates, in the order in which they were added.
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }
}
