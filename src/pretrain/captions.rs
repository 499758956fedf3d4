//! Sentences for photos: class names and words that are true of them, in templates.

use std::collections::BTreeSet;

use super::held_out::HeldOut;
use super::patterns;
use crate::error::{Error, Kind, Result};
use crate::prompt::template::{Template, spoken};
use crate::rng::Rng;
use crate::tokenize::ClipTokenizer;

/// Words for the names of common training sets.
pub const WORDS: &str = include_str!("words.txt");

/// What training says about a photo if nothing else is asked for.
pub const TEMPLATES: &[&str] = &[
    "{}",
    "a {}",
    "a {}.",
    "the {}",
    "a photo of a {}.",
    "a photo of a {}.",
    "a photo of the {}.",
    "a picture of a {}.",
    "an image of a {}.",
    "a small photo of a {}.",
    "a blurry photo of a {}.",
    "a close-up photo of a {}.",
    "a cropped photo of a {}.",
    "a bright photo of a {}.",
    "a dark photo of a {}.",
    "a good photo of a {}.",
    "a bad photo of a {}.",
    "a low resolution photo of a {}.",
    "a photo of one {}.",
    "a photo of my {}.",
    "itap of a {}.",
    "there is a {} in the photo.",
];

/// The most names that are said in one batch.
const MOST_NAMES: usize = 256;

/// A sentence and the classes that it is true of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caption {
    /// Token ids, SOT and EOT included.
    pub ids: Vec<u32>,
    /// Classes, ascending; those from the number of names on are kinds of patterns.
    pub classes: Vec<usize>,
}

/// Everything that captions are made of.
pub struct Captions<'a> {
    tokenizer: &'a ClipTokenizer,
    templates: Vec<Template>,
    names: Vec<String>,
    words: Vec<(String, Vec<usize>)>,
}

impl<'a> Captions<'a> {
    /// Captions for `names`. `words` has a line `word: name, name` for each further word; `#` starts
    /// a comment.
    ///
    /// # Errors
    /// `options/invalid` for a line that is none, or a word, template or name that is held out;
    /// `prompt/invalid-template`.
    pub fn new<S: AsRef<str>>(
        tokenizer: &'a ClipTokenizer,
        names: &[String],
        words: &str,
        templates: &[S],
        held_out: &HeldOut,
    ) -> Result<Self> {
        for name in names {
            held_out.refuse(name, "The list of classes")?;
        }
        for template in templates {
            held_out.refuse(template.as_ref(), "The list of templates")?;
        }
        let known: Vec<String> = names.iter().map(|name| spoken(name)).collect();
        let mut found = Vec::new();
        for line in words.lines().map(str::trim) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let Some((word, of)) = line.split_once(':') else {
                return Err(Error::new(
                    Kind::OptionInvalid,
                    format!("The list of words has the line {line:?}; write \"word: name, name\"."),
                ));
            };
            held_out.refuse(word, "The list of words")?;
            let mut classes: Vec<usize> = of
                .split(',')
                .filter_map(|name| known.iter().position(|known| known == name.trim()))
                .collect();
            classes.sort_unstable();
            classes.dedup();
            if !classes.is_empty() && !known.iter().any(|name| name == word.trim()) {
                found.push((word.trim().to_owned(), classes));
            }
        }
        Ok(Self {
            tokenizer,
            templates: Template::parse_all(templates)?,
            names: names.to_vec(),
            words: found,
        })
    }

    /// The captions of one batch, and how many of them are names: every name once in a random
    /// template (if there are very many, those of `present` and random others), then `words`
    /// random words, and a word for every kind of pattern in `present`.
    ///
    /// # Errors
    /// `labels/too-long`.
    pub fn draw(
        &self,
        present: &[usize],
        words: usize,
        rng: &mut Rng,
    ) -> Result<(Vec<Caption>, usize)> {
        let mut classes: Vec<usize> = (0..self.names.len()).collect();
        if classes.len() > MOST_NAMES {
            classes = present
                .iter()
                .copied()
                .filter(|class| *class < self.names.len())
                .collect();
            classes.extend(
                rng.permutation(self.names.len())
                    .into_iter()
                    .take(MOST_NAMES.saturating_sub(present.len())),
            );
            classes.sort_unstable();
            classes.dedup();
        }
        let mut captions = Vec::new();
        for class in classes {
            captions.push(Caption {
                ids: self.sentence(&self.names[class], rng)?,
                classes: vec![class],
            });
        }
        let names = captions.len();
        for index in rng.permutation(self.words.len()).into_iter().take(words) {
            let (word, classes) = &self.words[index];
            captions.push(Caption {
                ids: self.sentence(word, rng)?,
                classes: classes.clone(),
            });
        }
        let kinds: BTreeSet<usize> = present
            .iter()
            .filter_map(|class| class.checked_sub(self.names.len()))
            .collect();
        for kind in kinds {
            let (word, of) = patterns::word(kind, rng);
            captions.push(Caption {
                ids: self.sentence(word, rng)?,
                classes: of.iter().map(|kind| kind + self.names.len()).collect(),
            });
        }
        Ok((captions, names))
    }

    fn sentence(&self, name: &str, rng: &mut Rng) -> Result<Vec<u32>> {
        let template = &self.templates[rng.below(self.templates.len() as u64) as usize];
        self.encode(&template.fill(name))
    }

    /// The token ids of a text.
    ///
    /// # Errors
    /// `labels/too-long`.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        Ok(self.tokenizer.encode(text)?.ids)
    }

    /// The class names.
    pub fn names(&self) -> &[String] {
        &self.names
    }
}
