//! The bundled table of words that mean the same, and of kinds of a thing.

use super::phrase::{Phrase, forms, normal};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

/// Which names should not stand against each other as class and negative.
///
/// A line `a = b = c` makes synonyms; a line `a > b, c` says that b and c are kinds of a, which
/// relates a to b and to c but not b to c. `#` starts a comment.
#[derive(Debug, Clone, Default)]
pub struct Synonyms {
    related: BTreeMap<String, BTreeSet<String>>,
}

impl Synonyms {
    /// The table that comes with the crate.
    pub fn bundled() -> &'static Self {
        static TABLE: OnceLock<Synonyms> = OnceLock::new();
        TABLE.get_or_init(|| Self::parse(include_str!("../words/synonyms.txt")))
    }

    /// Reads lines; a line without `=` or `>` relates nothing.
    pub fn parse(text: &str) -> Self {
        let mut table = Self::default();
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default();
            if let Some((head, kinds)) = line.split_once('>') {
                for kind in kinds.split(',') {
                    table.relate(head, kind);
                }
                continue;
            }
            let names: Vec<&str> = line.split('=').collect();
            for (i, a) in names.iter().enumerate() {
                for b in &names[i + 1..] {
                    table.relate(a, b);
                }
            }
        }
        table
    }

    fn relate(&mut self, a: &str, b: &str) {
        let (a, b) = (normal(a), normal(b));
        if a.is_empty() || b.is_empty() || a == b {
            return;
        }
        self.related.entry(a.clone()).or_default().insert(b.clone());
        self.related.entry(b).or_default().insert(a);
    }

    /// Everything related to `name`, singular or plural.
    pub(super) fn of(&self, name: &str) -> Vec<Phrase> {
        let name = normal(name);
        let (front, last) = match name.rsplit_once(' ') {
            Some((front, last)) => (format!("{front} "), last.to_owned()),
            None => (String::new(), name),
        };
        forms(&last)
            .iter()
            .filter_map(|form| self.related.get(&format!("{front}{form}")))
            .flatten()
            .map(|related| Phrase::new(related))
            .collect()
    }
}
