//! WordNet's nouns: what a word is a kind of (Miller, 1995), from the files `index.noun` and
//! `data.noun` as Debian's package wordnet-base has them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::checkpoint::read_file;
use crate::error::{Error, Kind, Result};

const MAX_BYTES: u64 = 64 << 20;
/// The lexicographers' files of things that can be seen: animals, artifacts, the body, food, natural
/// objects, persons, plants.
const PICTURABLE: [u8; 7] = [5, 6, 8, 13, 17, 18, 20];
const PERSON: u8 = 18;

/// One meaning.
#[derive(Debug, Clone, Default)]
struct Synset {
    file: u8,
    words: Vec<String>,
    above: Vec<u32>,
}

/// The nouns.
#[derive(Debug, Clone, Default)]
pub struct WordNet {
    senses: BTreeMap<String, Vec<u32>>,
    synsets: BTreeMap<u32, Synset>,
}

impl WordNet {
    /// Reads `index.noun` and `data.noun` in `folder`.
    ///
    /// # Errors
    /// `io/failed` if a file is absent, `data/invalid` if it is not WordNet's.
    pub fn read(folder: &Path) -> Result<Self> {
        let text = |name: &str| {
            let bytes = read_file(&folder.join(name), MAX_BYTES, Kind::Io)?;
            Ok::<_, Error>(String::from_utf8_lossy(&bytes).into_owned())
        };
        Self::parse(&text("index.noun")?, &text("data.noun")?)
    }

    /// The nouns of the two files' texts.
    ///
    /// # Errors
    /// `data/invalid` for a line that is not WordNet's.
    pub fn parse(index: &str, data: &str) -> Result<Self> {
        let invalid = |line: &str| {
            let start: String = line.chars().take(40).collect();
            Error::new(
                Kind::DataInvalid,
                format!("WordNet's files have the line {start:?}, which is none of its nouns."),
            )
        };
        // Lines of the licence start with a space.
        let lines = |text: &str| {
            text.lines()
                .filter(|line| !line.starts_with(' ') && !line.is_empty())
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let mut found = Self::default();
        for line in lines(index) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let senses = fields.get(2).and_then(|count| count.parse::<usize>().ok());
            let (Some(word), Some(senses)) = (fields.first(), senses) else {
                return Err(invalid(&line));
            };
            let at = fields.len().saturating_sub(senses);
            let senses = fields[at..]
                .iter()
                .map(|offset| offset.parse().map_err(|_| invalid(&line)))
                .collect::<Result<_>>()?;
            found.senses.insert(word.replace('_', " "), senses);
        }
        for line in lines(data) {
            let synset = synset(&line).ok_or_else(|| invalid(&line))?;
            found.synsets.insert(synset.0, synset.1);
        }
        Ok(found)
    }

    /// The meaning of a word that a picture is most likely to show: the first that can be seen, a
    /// person only if nothing else can.
    fn sense(&self, word: &str) -> Option<u32> {
        let senses = self.senses.get(word)?;
        let of = |wanted: &dyn Fn(u8) -> bool| {
            senses.iter().copied().find(|sense| {
                self.synsets
                    .get(sense)
                    .is_some_and(|synset| wanted(synset.file))
            })
        };
        of(&|file| PICTURABLE.contains(&file) && file != PERSON)
            .or_else(|| of(&|file| file == PERSON))
            .or_else(|| senses.first().copied())
    }

    /// Words above `word`, with their distance: the nearest first, each meaning by all its words.
    pub fn ancestors(&self, word: &str) -> Vec<(usize, Vec<String>)> {
        let mut found = Vec::new();
        let mut seen = BTreeSet::new();
        let mut level: Vec<u32> = self.sense(word).into_iter().collect();
        let mut depth = 0;
        while !level.is_empty() {
            let mut next = Vec::new();
            for sense in level {
                let Some(synset) = self.synsets.get(&sense).filter(|_| seen.insert(sense)) else {
                    continue;
                };
                found.push((depth, synset.words.clone()));
                next.extend(&synset.above);
            }
            level = next;
            depth += 1;
        }
        found
    }

    /// Every word that shares a visible meaning with `word`, itself left out.
    pub fn synonyms(&self, word: &str) -> Vec<String> {
        let senses = self.senses.get(word).into_iter().flatten();
        let words: BTreeSet<String> = senses
            .filter_map(|sense| self.synsets.get(sense))
            .filter(|synset| PICTURABLE.contains(&synset.file) && synset.file != PERSON)
            .flat_map(|synset| synset.words.iter().cloned())
            .filter(|other| other != word)
            .collect();
        words.into_iter().collect()
    }
}

/// `offset file type count word id ... pointers symbol offset type numbers ... | gloss`.
fn synset(line: &str) -> Option<(u32, Synset)> {
    let mut fields = line.split('|').next()?.split_whitespace();
    let offset = fields.next()?.parse().ok()?;
    let file = fields.next()?.parse().ok()?;
    let count = usize::from_str_radix(fields.nth(1)?, 16).ok()?;
    let mut words = Vec::with_capacity(count);
    for _ in 0..count {
        words.push(fields.next()?.replace('_', " ").to_lowercase());
        fields.next()?;
    }
    let pointers: usize = fields.next()?.parse().ok()?;
    let mut above = Vec::new();
    for _ in 0..pointers {
        let symbol = fields.next()?;
        let to = fields.next()?.parse().ok()?;
        fields.nth(1)?;
        if symbol.starts_with('@') {
            above.push(to);
        }
    }
    Some((offset, Synset { file, words, above }))
}

#[cfg(test)]
mod tests {
    use super::WordNet;

    const INDEX: &str = "  1 licence\n\
        crane n 2 1 @ 2 0 00000009 00000001\n\
        bird n 1 1 @ 1 0 00000003\n";
    const DATA: &str = "  1 licence\n\
        00000001 05 n 01 crane 0 001 @ 00000002 n 0000 | a wader\n\
        00000002 05 n 02 wader 0 wading_bird 0 001 @ 00000003 n 0000 | a bird\n\
        00000003 05 n 01 bird 0 000 | it flies\n\
        00000009 18 n 02 Crane 0 Stephen_Crane 0 000 | a writer\n";

    #[test]
    fn a_word_is_the_thing_and_not_the_person() {
        let net = WordNet::parse(INDEX, DATA).unwrap();
        let found = net.ancestors("crane");
        let words: Vec<(usize, &str)> = found.iter().map(|(d, w)| (*d, w[0].as_str())).collect();
        assert_eq!(words, [(0, "crane"), (1, "wader"), (2, "bird")]);
        assert!(net.ancestors("helicopter").is_empty());
        assert!(net.synonyms("crane").is_empty());
        assert!(WordNet::parse("word n", "").is_err());
    }
}
