//! The vocabulary: everyday names with their other words, what they are kinds of, and which of them
//! are withheld from training.

use std::collections::{BTreeMap, BTreeSet};

use super::wordnet::WordNet;
use crate::error::{Error, Kind, Result};
use crate::pretrain::held_out::HeldOut;
use crate::prompt::template::spoken;

/// What a name is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// There are photos of it to train on.
    Known,
    /// There are none.
    TextOnly,
    /// Withheld: rejection and new names are developed on it.
    NearOodDev,
    /// Withheld: rejection and new names are measured on it.
    NearOodHeld,
}

/// One line of the vocabulary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// As it is said.
    pub text: String,
    /// What it is for.
    pub usage: Usage,
    /// Other words for the same thing.
    pub aliases: Vec<String>,
    /// What it is a kind of.
    pub is_a: Vec<String>,
    /// The name that it is merged with.
    pub same_as: Option<String>,
    /// What CLIP's vectors call it.
    pub clip_name: Option<String>,
}

/// All names of `vocabulary.tsv`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vocabulary {
    /// In the order of the file.
    pub names: Vec<Name>,
    by_name: BTreeMap<String, usize>,
    by_alias: BTreeMap<String, usize>,
}

/// A name without what does not tell names apart: case, underscores, parentheses.
pub fn key(text: &str) -> String {
    let open = text.find('(').unwrap_or(text.len());
    spoken(&text[..open].to_lowercase())
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

impl Vocabulary {
    /// Reads the text of a `vocabulary.tsv`, whose first line names the columns.
    ///
    /// # Errors
    /// `data/invalid` if a column is absent or a use unknown.
    pub fn parse(text: &str) -> Result<Self> {
        let invalid = |what: String| {
            Error::new(
                Kind::DataInvalid,
                format!("The vocabulary {what}; give the vocabulary.tsv of the data."),
            )
        };
        let mut lines = text.lines();
        let columns: Vec<&str> = lines.next().unwrap_or_default().split('\t').collect();
        let column = |name: &str| {
            columns
                .iter()
                .position(|column| *column == name)
                .ok_or_else(|| invalid(format!("has no column {name}")))
        };
        let (name, usage, aliases) = (column("name")?, column("use")?, column("aliases")?);
        let (is_a, same_as) = (column("is_a")?, column("same_as")?);
        let clip_name = column("clip_vector_name")?;
        let mut names = Vec::new();
        for line in lines.filter(|line| !line.trim().is_empty()) {
            let fields: Vec<&str> = line.split('\t').collect();
            let field = |at: usize| fields.get(at).copied().unwrap_or_default().trim();
            let list = |at: usize| -> Vec<String> {
                field(at)
                    .split(';')
                    .filter(|part| !part.is_empty())
                    .map(key)
                    .collect()
            };
            names.push(Name {
                text: field(name).to_owned(),
                usage: match field(usage) {
                    "known" => Usage::Known,
                    "text_only" => Usage::TextOnly,
                    "near_ood_dev" => Usage::NearOodDev,
                    "near_ood_held" => Usage::NearOodHeld,
                    other => return Err(invalid(format!("has the unknown use {other:?}"))),
                },
                aliases: list(aliases),
                is_a: list(is_a),
                same_as: Some(key(field(same_as))).filter(|name| !name.is_empty()),
                clip_name: Some(key(field(clip_name))).filter(|name| !name.is_empty()),
            });
        }
        let mut by_name = BTreeMap::new();
        let mut by_alias = BTreeMap::new();
        for (index, name) in names.iter().enumerate() {
            by_name.insert(key(&name.text), index);
            for alias in &name.aliases {
                by_alias.entry(alias.clone()).or_insert(index);
            }
        }
        Ok(Self {
            names,
            by_name,
            by_alias,
        })
    }

    /// The name that `label` is or is an alias of; a merged one's partner.
    pub fn find(&self, label: &str) -> Option<usize> {
        let label = key(label);
        let found = self.by_name.get(&label).or(self.by_alias.get(&label))?;
        match &self.names[*found].same_as {
            Some(other) => self.by_name.get(other).copied(),
            None => Some(*found),
        }
    }

    /// Names with photos to train on, merged ones once.
    pub fn known(&self) -> impl Iterator<Item = usize> {
        (0..self.names.len()).filter(|index| {
            let name = &self.names[*index];
            name.usage == Usage::Known && name.same_as.is_none()
        })
    }

    /// Whether training must not show photos of the name.
    pub fn is_withheld(&self, index: usize) -> bool {
        matches!(
            self.names[index].usage,
            Usage::NearOodDev | Usage::NearOodHeld
        )
    }

    /// Whether both names may be right for one photo: one is a kind of the other, or they share a
    /// word.
    pub fn related(&self, a: usize, b: usize) -> bool {
        let above = |a: usize, b: usize| {
            let (name, other) = (&self.names[a], &self.names[b]);
            let other_key = key(&other.text);
            name.is_a.contains(&other_key)
                || name.aliases.contains(&other_key)
                || name.is_a.iter().any(|up| other.aliases.contains(up))
        };
        let shared = || {
            let (first, second) = (&self.names[a].aliases, &self.names[b].aliases);
            first.iter().any(|alias| second.contains(alias))
        };
        a == b || above(a, b) || above(b, a) || shared()
    }
}

/// The names that training withholds, with every word for them.
#[derive(Debug, Clone)]
pub struct Withheld {
    names: HeldOut,
    synonyms: BTreeSet<String>,
}

impl Withheld {
    /// The withheld names of `vocabulary`, their aliases, and their synonyms in WordNet.
    pub fn new(vocabulary: &Vocabulary, wordnet: &WordNet) -> Self {
        let mut names: Vec<String> = Vec::new();
        let mut synonyms = BTreeSet::new();
        for index in (0..vocabulary.names.len()).filter(|i| vocabulary.is_withheld(*i)) {
            let name = &vocabulary.names[index];
            names.push(key(&name.text));
            names.extend(name.aliases.iter().cloned());
            synonyms.extend(wordnet.synonyms(&key(&name.text)));
        }
        Self {
            names: HeldOut::new(&names),
            synonyms,
        }
    }

    /// The names and aliases.
    pub fn names(&self) -> &[String] {
        self.names.names()
    }

    /// Whether `text` says a withheld name or an alias, alone or among other words, or is a synonym of
    /// one: with `trumpet`, also `cornet`, but not `French horn`.
    pub fn holds(&self, text: &str) -> bool {
        self.names.holds(text) || self.synonyms.contains(&key(text))
    }
}
