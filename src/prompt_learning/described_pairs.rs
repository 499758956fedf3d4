//! Texts about pairs of classes from a file as FuDD publishes it (Esfandiarpoor and Bach, 2024), and
//! the pairs for which a reader still has to ask for some:
//!
//! ```json
//! {"0_1": {"classes": [0, 1], "prompt_pairs": [{"prompt_pair": ["an ant without wings", "a bee with wings"]}]}}
//! ```
//!
//! Classes are places in the list of names, or names. The order of the texts is that of the classes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::descriptions::{MAX_SENTENCES, folded};
use crate::error::{Error, Kind, Result};
use crate::prompt::pair_texts::{PairTexts, Text};

/// What a file of texts about pairs of classes looks like.
pub const PAIR_FILE: &str =
    r#"{"0_1": {"classes": [0, 1], "prompt_pairs": [{"prompt_pair": ["...", "..."]}]}}"#;

/// A class in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PairClass {
    /// Its place in the list of names.
    Place(usize),
    /// Its name.
    Name(String),
}

/// An entry of the file.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct PairEntry {
    classes: [PairClass; 2],
    prompt_pairs: Vec<PromptPair>,
}

#[derive(Debug, Serialize, Deserialize)]
struct PromptPair {
    prompt_pair: [String; 2],
}

/// Texts that tell two classes from each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedPair {
    /// The classes.
    pub classes: [PairClass; 2],
    /// A text of the one and a text of the other.
    pub texts: Vec<[String; 2]>,
}

impl PairEntry {
    /// The pair, without blank texts.
    ///
    /// # Errors
    /// `prompt/invalid` for too many texts.
    pub(super) fn read(self) -> Result<DescribedPair> {
        if self.prompt_pairs.len() > MAX_SENTENCES {
            return Err(Error::new(
                Kind::PromptInvalid,
                format!("A pair of classes has more than {MAX_SENTENCES} pairs of texts."),
            ));
        }
        let texts = self.prompt_pairs.into_iter().map(|pair| pair.prompt_pair);
        Ok(DescribedPair {
            classes: self.classes,
            texts: texts
                .filter(|pair| pair.iter().all(|text| !text.trim().is_empty()))
                .collect(),
        })
    }
}

impl DescribedPair {
    /// The places of its classes in `names`. `None` if they are no two of them.
    pub fn places(&self, names: &[String]) -> Option<[usize; 2]> {
        let place = |class: &PairClass| match class {
            PairClass::Place(place) => (*place < names.len()).then_some(*place),
            PairClass::Name(name) => names.iter().position(|n| folded(n) == folded(name)),
        };
        let [a, b] = &self.classes;
        let places = [place(a)?, place(b)?];
        (places[0] != places[1]).then_some(places)
    }
}

/// The texts of `pairs` for `names`, each once whatever its capitals, and what belongs to what.
/// `defaults` [K] are the texts that the classes have without a pair.
pub fn gather(
    pairs: &[DescribedPair],
    names: &[String],
    defaults: &[String],
) -> (Vec<String>, PairTexts) {
    let mut texts = Vec::new();
    let mut rows: BTreeMap<String, usize> = BTreeMap::new();
    let mut found = PairTexts::default();
    let key = |text: &str| text.trim().to_lowercase();
    for pair in pairs {
        let Some([a, b]) = pair.places(names) else {
            continue;
        };
        for [of_a, of_b] in &pair.texts {
            for (class, other, text) in [(a, b, of_a), (b, a, of_b)] {
                let own = defaults.get(class).is_some_and(|own| key(own) == key(text));
                let text = match own {
                    true => Text::Default,
                    false => Text::Described(*rows.entry(key(text)).or_insert_with(|| {
                        texts.push(text.clone());
                        texts.len() - 1
                    })),
                };
                found.add(class, other, text);
            }
        }
    }
    (texts, found)
}

/// Two classes that were both likely for some images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MetPair {
    /// Places in the list of names, the lower first.
    pub classes: [usize; 2],
    /// For how many images.
    pub images: usize,
}

/// The pairs among the `top` most likely classes of each row of logits [N, K], most frequent first.
///
/// ```
/// use promptlens::prompt_learning::described_pairs::met;
///
/// // Two images, three classes; the two most likely of each.
/// let pairs = met(&[3.0, 2.0, 0.0, 1.0, 5.0, 0.0], 3, 2);
/// assert_eq!((pairs[0].classes, pairs[0].images), ([0, 1], 2));
/// ```
pub fn met(logits: &[f64], classes: usize, top: usize) -> Vec<MetPair> {
    let mut counts: BTreeMap<[usize; 2], usize> = BTreeMap::new();
    for row in logits.chunks_exact(classes.max(1)) {
        let mut order: Vec<usize> = (0..row.len()).collect();
        order.sort_by(|a, b| row[*b].total_cmp(&row[*a]).then(a.cmp(b)));
        order.truncate(top);
        order.sort_unstable();
        for (i, a) in order.iter().enumerate() {
            for b in &order[i + 1..] {
                *counts.entry([*a, *b]).or_default() += 1;
            }
        }
    }
    let mut pairs: Vec<MetPair> = counts
        .into_iter()
        .map(|(classes, images)| MetPair { classes, images })
        .collect();
    pairs.sort_by(|a, b| b.images.cmp(&a.images).then(a.classes.cmp(&b.classes)));
    pairs
}

/// A file for `pairs` with empty places for `texts` pairs of texts each, to be filled in.
pub fn to_fill(pairs: &[MetPair], names: &[String], texts: usize) -> serde_json::Value {
    let entry = |pair: &MetPair| {
        let [a, b] = pair.classes;
        let entry = PairEntry {
            classes: [a, b].map(|class| PairClass::Name(names[class].clone())),
            prompt_pairs: (0..texts)
                .map(|_| PromptPair {
                    prompt_pair: [String::new(), String::new()],
                })
                .collect(),
        };
        Some((format!("{a}_{b}"), serde_json::to_value(entry).ok()?))
    };
    pairs.iter().filter_map(entry).collect()
}
