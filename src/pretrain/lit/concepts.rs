//! What pictures are taught to be: the known names, and ImageNet's names beside them.

use std::collections::BTreeMap;

use super::names::{Vocabulary, Withheld, key};
use crate::error::{Error, Kind, Result};

/// Classes of ImageNet.
pub const CLASSES: usize = 1000;
/// Classes whose name a class before them has: the list of different names leaves them out.
const REPEATED: [(usize, &str); 3] = [(474, "cardigan"), (517, "crane"), (639, "maillot")];

/// The names of ImageNet's 1,000 classes in their order, from a list of the 997 different ones.
///
/// # Errors
/// `data/invalid` for a list of another length.
pub fn imagenet(list: &str) -> Result<Vec<String>> {
    let mut names: Vec<String> = list
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect();
    if names.len() + REPEATED.len() != CLASSES {
        return Err(Error::new(
            Kind::DataInvalid,
            format!(
                "The list of ImageNet's names has {} lines instead of {}.",
                names.len(),
                CLASSES - REPEATED.len()
            ),
        ));
    }
    for (index, name) in REPEATED {
        names.insert(index, name.to_owned());
    }
    Ok(names)
}

/// Names that pictures are compared with, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Concepts {
    /// The known names first, then ImageNet's other names.
    pub names: Vec<String>,
    /// How many, from the first, have photos.
    pub known: usize,
    /// The concept of each class of the teacher; none for a class that is withheld.
    pub of_class: Vec<Option<usize>>,
    /// For each known name, the known names that may be right beside it, itself left out.
    pub related: Vec<Vec<usize>>,
    vocabulary: Vec<usize>,
    by_key: BTreeMap<String, usize>,
}

impl Concepts {
    /// The concepts of `vocabulary` and of the teacher's `classes`. Classes that `withheld` holds, or
    /// that are withheld names themselves, teach nothing; without it all teach.
    pub fn new(vocabulary: &Vocabulary, classes: &[String], withheld: Option<&Withheld>) -> Self {
        let entries: Vec<usize> = vocabulary.known().collect();
        let mut names: Vec<String> = entries
            .iter()
            .map(|entry| vocabulary.names[*entry].text.clone())
            .collect();
        let known = names.len();
        let related = entries
            .iter()
            .map(|own| {
                (0..known)
                    .filter(|other| {
                        entries[*other] != *own && vocabulary.related(*own, entries[*other])
                    })
                    .collect()
            })
            .collect();
        let mut by_key: BTreeMap<String, usize> =
            names.iter().map(|name| key(name)).zip(0..).collect();
        let mut of_class = Vec::with_capacity(classes.len());
        for class in classes {
            if withheld.is_some_and(|withheld| withheld.holds(class)) {
                of_class.push(None);
                continue;
            }
            let entry = vocabulary.find(class);
            let found = entry
                .and_then(|entry| entries.iter().position(|own| *own == entry))
                .or_else(|| by_key.get(&key(class)).copied());
            of_class.push(Some(found.unwrap_or_else(|| {
                by_key.insert(key(class), names.len());
                names.push(class.clone());
                names.len() - 1
            })));
        }
        Self {
            by_key,
            names,
            known,
            of_class,
            related,
            vocabulary: entries,
        }
    }

    /// The known name that photos in a folder called `label` show.
    pub fn find(&self, vocabulary: &Vocabulary, label: &str) -> Option<usize> {
        let entry = vocabulary.find(label)?;
        self.vocabulary.iter().position(|own| *own == entry)
    }

    /// The concept that is called `word` itself.
    pub fn named(&self, word: &str) -> Option<usize> {
        self.by_key.get(&key(word)).copied()
    }

    /// Other words for a known name.
    pub fn aliases<'a>(&self, vocabulary: &'a Vocabulary, concept: usize) -> &'a [String] {
        match self.vocabulary.get(concept) {
            Some(entry) => &vocabulary.names[*entry].aliases,
            None => &[],
        }
    }

    /// What CLIP's vectors call a concept.
    pub fn clip_name<'a>(&'a self, vocabulary: &'a Vocabulary, concept: usize) -> &'a str {
        let entry = self.vocabulary.get(concept);
        entry
            .and_then(|entry| vocabulary.names[*entry].clip_name.as_deref())
            .unwrap_or(&self.names[concept])
    }

    /// Whether the teacher has a class for each concept.
    pub fn taught(&self) -> Vec<bool> {
        let mut taught = vec![false; self.names.len()];
        for concept in self.of_class.iter().flatten() {
            taught[*concept] = true;
        }
        taught
    }
}
