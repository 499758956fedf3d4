//! Which words must not stand against a class: a negative that names what the image shows would
//! reject the very images that belong.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::phrase::{Phrase, normal};
use super::synonyms::Synonyms;

/// Why a word was left out. Where a class is the reason, `class` is its name as given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum ExcludedBecause {
    /// It is a class name, but for case, punctuation or plural.
    SameName {
        /// The class.
        class: String,
    },
    /// Its words stand in the class name, or the class name's in it (`dog` and `hot dog`).
    PartOfName {
        /// The class.
        class: String,
    },
    /// One is a compound whose head is the other (`boat` and `sailboat`).
    Compound {
        /// The class.
        class: String,
    },
    /// The table lists it as a synonym or kind of the class, or the class as a kind of it.
    Synonym {
        /// The class.
        class: String,
    },
    /// The user struck it.
    Struck,
    /// It is there already.
    Duplicate,
    /// It has no letter or digit.
    Empty,
}

/// Compares words with one list of classes.
#[derive(Debug)]
pub struct Excluder {
    classes: Vec<Class>,
    struck: Vec<Phrase>,
}

#[derive(Debug)]
struct Class {
    name: String,
    phrase: Phrase,
    related: Vec<Phrase>,
}

impl Excluder {
    /// Prepares the comparison with `classes` and with the words that the user struck.
    pub fn new<S: AsRef<str>>(classes: &[S], struck: &[String], synonyms: &Synonyms) -> Self {
        let class = |name: &str| Class {
            name: name.to_owned(),
            phrase: Phrase::new(name),
            related: synonyms.of(name),
        };
        Self {
            classes: classes.iter().map(|name| class(name.as_ref())).collect(),
            struck: struck.iter().map(|word| Phrase::new(word)).collect(),
        }
    }

    /// Why `word` cannot be a mined negative; `None` if it can, and then it is put into `seen`,
    /// which holds the words taken so far. The strongest reason wins.
    pub fn reject(&self, word: &str, seen: &mut BTreeSet<String>) -> Option<ExcludedBecause> {
        let phrase = Phrase::new(word);
        self.plain(&phrase, word, seen)
            .or_else(|| {
                let class =
                    self.class_where(|c| c.phrase.contains(&phrase) || phrase.contains(&c.phrase))?;
                Some(ExcludedBecause::PartOfName { class })
            })
            .or_else(|| {
                let class = self.class_where(|c| c.related.iter().any(|r| r.same(&phrase)))?;
                Some(ExcludedBecause::Synonym { class })
            })
            .or_else(|| {
                let class = self.class_where(|c| c.phrase.compound_of(&phrase))?;
                Some(ExcludedBecause::Compound { class })
            })
            .or_else(|| taken(word, seen))
    }

    /// Why a word that the user added cannot be used: only if it names a class, was struck, or
    /// is there already.
    pub fn reject_added(&self, word: &str, seen: &mut BTreeSet<String>) -> Option<ExcludedBecause> {
        self.plain(&Phrase::new(word), word, seen)
            .or_else(|| taken(word, seen))
    }

    fn plain(
        &self,
        phrase: &Phrase,
        word: &str,
        seen: &BTreeSet<String>,
    ) -> Option<ExcludedBecause> {
        if phrase.is_empty() {
            return Some(ExcludedBecause::Empty);
        }
        if self.struck.iter().any(|s| s.same(phrase)) {
            return Some(ExcludedBecause::Struck);
        }
        if let Some(class) = self.class_where(|c| c.phrase.same(phrase)) {
            return Some(ExcludedBecause::SameName { class });
        }
        seen.contains(&normal(word))
            .then_some(ExcludedBecause::Duplicate)
    }

    fn class_where(&self, test: impl Fn(&Class) -> bool) -> Option<String> {
        self.classes
            .iter()
            .find(|c| test(c))
            .map(|c| c.name.clone())
    }
}

/// Marks the word as used.
fn taken(word: &str, seen: &mut BTreeSet<String>) -> Option<ExcludedBecause> {
    (!seen.insert(normal(word))).then_some(ExcludedBecause::Duplicate)
}
