//! Sentences about classes from a JSON file, as CuPL publishes them, `{"class name": ["sentence",
//! ...], ...}`, and about pairs of classes, as FuDD does ([`described_pairs`](super::described_pairs)).

use std::collections::BTreeMap;

use serde::Deserialize;

use super::described_pairs::{DescribedPair, PairEntry};
use crate::error::{Error, Kind, Result};
use crate::prompt::template::spoken;
use crate::tokenize::clean_label;

/// What a file of sentences about classes looks like.
pub const CLASS_FILE: &str = r#"{"class name": ["sentence", ...]}"#;

/// The largest file in bytes.
pub const MAX_BYTES: usize = 64 << 20;

/// The most sentences of a class.
pub const MAX_SENTENCES: usize = 1000;

/// Sentences by class name, and by pair of classes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Descriptions {
    sentences: BTreeMap<String, Vec<String>>,
    pairs: Vec<DescribedPair>,
}

/// What a name in a file stands before.
#[derive(Deserialize)]
#[serde(untagged)]
enum Described {
    Class(Vec<String>),
    Pair(PairEntry),
}

/// How descriptions and class names fit together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Coverage {
    /// Classes without a sentence.
    pub missing: Vec<String>,
    /// Names in the file that are no class.
    pub unknown: Vec<String>,
}

/// Names are compared without case and invisible characters, and with underscores as spaces.
pub fn folded(name: &str) -> String {
    clean_label(&spoken(name)).to_lowercase()
}

impl Descriptions {
    /// Sentences of every name.
    pub fn new(sentences: impl Iterator<Item = (String, Vec<String>)>) -> Self {
        let named = sentences.map(|(name, list)| (folded(&name), list));
        Self {
            sentences: named.collect(),
            pairs: Vec::new(),
        }
    }

    /// Reads a file. Blank sentences are passed over.
    ///
    /// # Errors
    /// `prompt/invalid`.
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        let invalid = |what: String| Err(Error::new(Kind::PromptInvalid, what));
        if bytes.len() > MAX_BYTES {
            return invalid("The descriptions are larger than 64 MiB.".to_owned());
        }
        let read: BTreeMap<String, Described> = match serde_json::from_slice(bytes) {
            Ok(read) => read,
            Err(error) => {
                return invalid(format!(
                    "The descriptions are no JSON object of class names with lists of sentences, or of pairs of classes ({error})."
                ));
            }
        };
        let mut sentences: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut pairs = Vec::new();
        for (name, described) in read {
            let list = match described {
                Described::Class(list) => list,
                Described::Pair(entry) => {
                    pairs.push(entry.read()?);
                    continue;
                }
            };
            let list = list.into_iter().filter(|s| !s.trim().is_empty());
            sentences.entry(folded(&name)).or_default().extend(list);
        }
        if let Some((name, _)) = sentences.iter().find(|(_, s)| s.len() > MAX_SENTENCES) {
            return invalid(format!(
                "{name:?} has more than {MAX_SENTENCES} descriptions."
            ));
        }
        Ok(Self { sentences, pairs })
    }

    /// Texts about pairs of classes.
    pub fn pairs(&self) -> &[DescribedPair] {
        &self.pairs
    }

    /// The sentences about `name`; none if the file has no such name.
    pub fn of(&self, name: &str) -> &[String] {
        self.sentences.get(&folded(name)).map_or(&[], Vec::as_slice)
    }

    /// What is missing on either side.
    pub fn coverage(&self, names: &[String]) -> Coverage {
        let known: std::collections::BTreeSet<String> = names.iter().map(|n| folded(n)).collect();
        Coverage {
            missing: names
                .iter()
                .filter(|name| self.of(name).is_empty())
                .cloned()
                .collect(),
            unknown: self
                .sentences
                .keys()
                .filter(|name| !known.contains(*name))
                .cloned()
                .collect(),
        }
    }
}
