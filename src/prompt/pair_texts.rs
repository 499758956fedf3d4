//! Texts that tell two classes apart, and which of them count for an image (FuDD, Esfandiarpoor and
//! Bach, 2024).

use std::collections::{BTreeMap, BTreeSet};

/// Which of T texts describe a class beside another one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PairTexts {
    /// (class, the other class) to texts of the first; both orders of a pair are there.
    texts: BTreeMap<(usize, usize), BTreeSet<Text>>,
}

/// A text of a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Text {
    /// The one that it has without a pair.
    Default,
    /// One of those in the file.
    Described(usize),
}

impl PairTexts {
    /// Adds a text of `class` that tells it from `other`.
    pub fn add(&mut self, class: usize, other: usize, text: Text) {
        self.texts.entry((class, other)).or_default().insert(text);
    }

    /// How many pairs of classes have texts on both sides.
    pub fn pairs(&self) -> usize {
        let whole = |(a, b): &&(usize, usize)| a < b && self.texts.contains_key(&(*b, *a));
        self.texts.keys().filter(whole).count()
    }

    /// Every (class, other class, text).
    pub fn entries(&self) -> impl Iterator<Item = (usize, usize, Text)> + '_ {
        self.texts
            .iter()
            .flat_map(|((class, other), texts)| texts.iter().map(|text| (*class, *other, *text)))
    }

    /// The texts of each class of `top`: those beside every other one of them. A pair that is not
    /// described adds the default text to both.
    pub fn among(&self, top: &[usize]) -> Vec<BTreeSet<Text>> {
        let mut chosen = vec![BTreeSet::new(); top.len()];
        for (i, a) in top.iter().enumerate() {
            for (j, b) in top.iter().enumerate().skip(i + 1) {
                match (self.texts.get(&(*a, *b)), self.texts.get(&(*b, *a))) {
                    (Some(of_a), Some(of_b)) => {
                        chosen[i].extend(of_a);
                        chosen[j].extend(of_b);
                    }
                    _ => {
                        chosen[i].insert(Text::Default);
                        chosen[j].insert(Text::Default);
                    }
                }
            }
        }
        chosen
    }
}
