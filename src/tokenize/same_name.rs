//! When two names are the same name: when the tokenizer gives them the same ids.

use std::collections::BTreeMap;

use tokenizers::NormalizedString;

/// The pieces of `name` as CLIP's tokenizer sees them before it looks them up: composed (NFC), in
/// lower case, without the space between words and marks. Two names have the same token ids if and
/// only if their pieces are the same. A control character stands between pieces.
pub fn name_key(name: &str) -> String {
    let mut normal = NormalizedString::from(name);
    normal.nfc().lowercase();
    let mut key = String::with_capacity(normal.get().len() * 2);
    let mut rest = normal.get().trim_start();
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(piece_length(rest));
        key.push_str(piece);
        key.push('\u{1f}');
        rest = after.trim_start();
    }
    key
}

/// Names that are the same, by their places in `names`; each group in order.
pub fn same_names(names: &[String]) -> Vec<Vec<usize>> {
    let mut places: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (place, name) in names.iter().enumerate() {
        places.entry(name_key(name)).or_default().push(place);
    }
    let mut groups: Vec<Vec<usize>> = places.into_values().filter(|all| all.len() > 1).collect();
    groups.sort();
    groups
}

/// Finds names in a list by [`name_key`]; a name that is there to the letter goes before the others.
#[derive(Debug, Clone, Default)]
pub struct NameIndex {
    exact: BTreeMap<String, usize>,
    alike: BTreeMap<String, usize>,
}

impl NameIndex {
    /// An index of `names`; of those that are the same the first counts.
    pub fn new(names: &[String]) -> Self {
        let mut index = Self::default();
        for (place, name) in names.iter().enumerate() {
            index.exact.entry(name.clone()).or_insert(place);
            index.alike.entry(name_key(name)).or_insert(place);
        }
        index
    }

    /// The place of `name`.
    pub fn place(&self, name: &str) -> Option<usize> {
        let exact = self.exact.get(name);
        exact.or_else(|| self.alike.get(&name_key(name))).copied()
    }
}

/// Bytes of the first piece of `text`, which begins with no space: the ending of a contraction, a run
/// of letters, one digit, or a run of other marks (the pattern of CLIP's tokenizer).
fn piece_length(text: &str) -> usize {
    const ENDINGS: [&str; 7] = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"];
    if let Some(ending) = ENDINGS.iter().find(|ending| text.starts_with(**ending)) {
        return ending.len();
    }
    let run = |belongs: fn(char) -> bool| text.find(|c| !belongs(c)).unwrap_or(text.len());
    match text.chars().next() {
        Some(c) if c.is_alphabetic() => run(char::is_alphabetic),
        Some(c) if c.is_numeric() => c.len_utf8(),
        _ => run(|c| !c.is_alphabetic() && !c.is_numeric() && !c.is_whitespace()),
    }
}
