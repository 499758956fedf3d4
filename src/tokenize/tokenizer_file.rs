//! The parts of `tokenizer.json` that are used, checked until nothing in them can surprise.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;
use tokenizers::models::bpe::{BPE, Vocab};

use crate::error::{Error, Kind, Result};

pub(super) const START: &str = "<|startoftext|>";
pub(super) const END: &str = "<|endoftext|>";
pub(super) const WORD_END: &str = "</w>";
/// The longest regular expression that is compiled.
const MAX_PATTERN_BYTES: usize = 1000;

/// The parts of `tokenizer.json` that are used.
#[derive(Deserialize)]
pub(super) struct File {
    #[serde(default)]
    added_tokens: Vec<AddedToken>,
    #[serde(default)]
    pub(super) normalizer: Value,
    #[serde(default)]
    pub(super) pre_tokenizer: Value,
    pub(super) model: Model,
}

#[derive(Deserialize)]
struct AddedToken {
    id: u32,
    content: String,
}

#[derive(Deserialize)]
pub(super) struct Model {
    #[serde(rename = "type")]
    kind: Option<String>,
    vocab: BTreeMap<String, u32>,
    merges: Vec<Merge>,
    end_of_word_suffix: Option<String>,
    continuing_subword_prefix: Option<String>,
    dropout: Option<f32>,
    #[serde(default)]
    ignore_merges: bool,
}

/// `"a b"`, or `["a", "b"]` in newer files.
#[derive(Deserialize)]
#[serde(untagged)]
enum Merge {
    Line(String),
    Pair(String, String),
}

impl File {
    pub(super) fn special(&self, content: &str) -> Result<u32> {
        self.added_tokens
            .iter()
            .find(|token| token.content == content)
            .map(|token| token.id)
            .or_else(|| self.model.vocab.get(content).copied())
            .ok_or_else(|| invalid(format!("has no {content}")))
    }
}

impl Model {
    /// The BPE, once nothing in it can surprise: every id is unique and a row of the embedding,
    /// every byte has a symbol (so there is no unknown token), and no merge makes start or end.
    pub(super) fn build(self, vocab_size: usize, start: u32, end: u32) -> Result<BPE> {
        if self.kind.is_some_and(|kind| kind != "BPE") {
            return Err(invalid("is not a BPE tokenizer"));
        }
        if self.end_of_word_suffix.as_deref() != Some(WORD_END)
            || self
                .continuing_subword_prefix
                .is_some_and(|p| !p.is_empty())
            || self.dropout.is_some_and(|p| p != 0.0)
            || self.ignore_merges
        {
            return Err(invalid("is not built like CLIP's"));
        }
        let mut seen = BTreeSet::new();
        let specials = [(START, start), (END, end)];
        for (token, id) in specials
            .into_iter()
            .chain(self.vocab.iter().map(|(token, id)| (token.as_str(), *id)))
        {
            if usize::try_from(id).map_or(true, |id| id >= vocab_size) {
                return Err(invalid(format!(
                    "has the id {id}, but the model knows only {vocab_size} tokens"
                )));
            }
            let special = specials.iter().any(|(content, _)| *content == token);
            if !special && (id == start || id == end || !seen.insert(id)) {
                return Err(invalid(format!("gives the id {id} twice")));
            }
        }
        for symbol in byte_symbols() {
            for token in [symbol.to_string(), format!("{symbol}{WORD_END}")] {
                if !self.vocab.contains_key(&token) {
                    return Err(invalid(format!("lacks the byte symbol {token:?}")));
                }
            }
        }
        let mut merges = Vec::with_capacity(self.merges.len());
        for merge in self.merges {
            let (left, right) = match merge {
                Merge::Pair(left, right) => (left, right),
                Merge::Line(line) => match line.split_once(' ') {
                    Some((left, right)) => (left.to_owned(), right.to_owned()),
                    None => return Err(invalid("has a merge that is not a pair")),
                },
            };
            let joined = format!("{left}{right}");
            let known = [&left, &right, &joined]
                .iter()
                .all(|token| self.vocab.contains_key(token.as_str()));
            if !known || joined == START || joined == END {
                return Err(invalid("has a merge outside its vocabulary"));
            }
            merges.push((left, right));
        }
        let vocab: Vocab = self
            .vocab
            .into_iter()
            .filter(|(token, _)| token != START && token != END)
            .collect();
        BPE::builder()
            .vocab_and_merges(vocab, merges)
            .end_of_word_suffix(WORD_END.to_owned())
            .build()
            .map_err(|error| invalid(error.to_string()))
    }
}

/// The printable characters that stand for the 256 bytes (GPT-2's table): printable Latin-1 stands
/// for itself, the other bytes follow from U+0100 in order.
fn byte_symbols() -> impl Iterator<Item = char> {
    let own = |byte: &u8| matches!(byte, 33..=126 | 161..=172 | 174..=255);
    let others = (0..=255u8).filter(move |byte| !own(byte)).count();
    (0..=255u8)
        .filter(own)
        .map(char::from)
        .chain(('\u{100}'..).take(others))
}

pub(super) const NORMALIZERS: &[&str] = &[
    "NFC",
    "NFD",
    "NFKC",
    "NFKD",
    "Lowercase",
    "Replace",
    "Strip",
];
pub(super) const PRE_TOKENIZERS: &[&str] = &["Split", "ByteLevel", "WhitespaceSplit"];

/// The steps of a pipeline part in order, if all are among `known` and their patterns are safe.
pub(super) fn check_steps<'a>(part: &'a Value, known: &[&str]) -> Result<Vec<&'a str>> {
    let Value::Object(map) = part else {
        return if part.is_null() {
            Ok(Vec::new())
        } else {
            Err(invalid("has a step that is not an object"))
        };
    };
    let kind = map.get("type").and_then(Value::as_str).unwrap_or_default();
    if kind == "Sequence" {
        let steps = map
            .get("normalizers")
            .or_else(|| map.get("pretokenizers"))
            .and_then(Value::as_array)
            .ok_or_else(|| invalid("has an empty sequence of steps"))?;
        let mut all = Vec::new();
        for step in steps {
            all.extend(check_steps(step, known)?);
        }
        return Ok(all);
    }
    if !known.contains(&kind) {
        return Err(invalid(format!(
            "has a step {kind:?}, which CLIP's has not"
        )));
    }
    if let Some(pattern) = map.get("pattern").and_then(|pattern| pattern.get("Regex")) {
        let pattern = pattern.as_str().unwrap_or_default();
        if pattern.len() > MAX_PATTERN_BYTES || backtracks(pattern) {
            return Err(invalid("has a pattern that could take too long"));
        }
    }
    Ok(vec![kind])
}

/// Whether a pattern may use what a linear-time matcher has not: look-around, atomic groups, back
/// references, possessive repetition.
fn backtracks(pattern: &str) -> bool {
    let groups = ["(?=", "(?!", "(?<", "(?>", "(?P", "(?(", "(?&"];
    let repeats = ["++", "*+", "?+", "}+"];
    let escapes = pattern
        .as_bytes()
        .windows(2)
        .any(|pair| pair[0] == b'\\' && matches!(pair[1], b'0'..=b'9' | b'k' | b'g' | b'K' | b'G'));
    escapes
        || groups
            .iter()
            .chain(&repeats)
            .any(|part| pattern.contains(part))
}

pub(super) fn parse<T: serde::de::DeserializeOwned>(part: Value) -> Result<Option<T>> {
    serde_json::from_value(part)
        .map_err(|error| invalid(format!("has a step that cannot be read ({error})")))
}

pub(super) fn invalid(what: impl AsRef<str>) -> Error {
    let mut what: String = what.as_ref().chars().take(300).collect();
    what.retain(|c| !c.is_control());
    Error::new(
        Kind::TokenizerInvalid,
        format!("tokenizer.json {what}; use the one that belongs to the model."),
    )
}
