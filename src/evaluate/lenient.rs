//! Answers that are not the exact name but no mistake either: another word for it, or a name above or
//! below it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};

/// What is known about names, from a JSON file
/// `{"name": {"aliases": ["name", ...], "is_a": ["name", ...]}}`. Other keys are passed over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Relations(BTreeMap<String, Entry>);

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
struct Entry {
    #[serde(default)]
    aliases: BTreeSet<String>,
    #[serde(default)]
    is_a: BTreeSet<String>,
}

/// How an answer relates to the true name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// Another word for it, or both have another word in common.
    Alias,
    /// A name above: the true one is one of these.
    Above,
    /// A name below: it is one of the true ones.
    Below,
}

impl Relations {
    /// Reads the file.
    ///
    /// # Errors
    /// `options/invalid` for anything else.
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        serde_json::from_slice(bytes).map(Self).map_err(|error| {
            Error::new(
                Kind::OptionInvalid,
                format!(
                    "The names are not a JSON object of {{\"name\": {{\"aliases\": [], \"is_a\": []}}}} ({error})."
                ),
            )
        })
    }

    /// How `answer` relates to `truth`, if it does. Two names that are the same are no relation.
    pub fn between(&self, truth: &str, answer: &str) -> Option<Relation> {
        let none = Entry::default();
        let of = |name: &str| self.0.get(name).unwrap_or(&none);
        let (t, a) = (of(truth), of(answer));
        if truth == answer {
            None
        } else if t.aliases.contains(answer)
            || a.aliases.contains(truth)
            || !t.aliases.is_disjoint(&a.aliases)
        {
            Some(Relation::Alias)
        } else if t.is_a.contains(answer) {
            Some(Relation::Above)
        } else if a.is_a.contains(truth) {
            Some(Relation::Below)
        } else {
            None
        }
    }
}

/// Accuracy with related names counted as right. Fractions of all measured images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LenientEvaluation {
    /// The exact name, another word for it, or a name above or below it.
    pub accuracy: f64,
    /// Another word for the true name.
    pub alias: f64,
    /// A name above the true one.
    pub above: f64,
    /// A name below the true one.
    pub below: f64,
}

/// Counts related answers.
#[derive(Debug, Clone)]
pub struct LenientTally {
    relations: Relations,
    counts: [usize; 3],
}

impl LenientTally {
    /// Nothing counted yet.
    pub fn new(relations: Relations) -> Self {
        Self {
            relations,
            counts: [0; 3],
        }
    }

    /// Counts an image of class `truth` that was answered with `answer`.
    pub fn add(&mut self, truth: &str, answer: &str) {
        if let Some(relation) = self.relations.between(truth, answer) {
            self.counts[relation as usize] += 1;
        }
    }

    /// The measurement over `n` images, of which the fraction `exact` was answered exactly.
    pub fn finish(&self, n: usize, exact: f64) -> LenientEvaluation {
        let [alias, above, below] = self.counts.map(|count| count as f64 / n as f64);
        LenientEvaluation {
            accuracy: exact + alias + above + below,
            alias,
            above,
            below,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Relation, Relations};

    #[test]
    fn relations_are_read_both_ways() {
        let names = br#"{
            "dog": {"aliases": ["hound"], "is_a": ["animal"], "src": ["x"]},
            "pug": {"is_a": ["dog", "animal"]},
            "hound": {},
            "courser": {"aliases": ["hound"]}
        }"#;
        let relations = Relations::from_json(names).unwrap();
        let between = |a, b| relations.between(a, b);
        assert_eq!(between("dog", "dog"), None);
        assert_eq!(between("dog", "hound"), Some(Relation::Alias));
        assert_eq!(between("hound", "dog"), Some(Relation::Alias));
        assert_eq!(between("dog", "courser"), Some(Relation::Alias));
        assert_eq!(between("pug", "dog"), Some(Relation::Above));
        assert_eq!(between("dog", "pug"), Some(Relation::Below));
        assert_eq!(between("pug", "cat"), None);
        assert!(Relations::from_json(b"[1]").is_err());
    }
}
