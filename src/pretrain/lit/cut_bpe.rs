//! A byte-pair tokenizer cut to the merges that a set of texts needs most.
//!
//! A word is spelled by applying merges in the order of the list. Leaving out merges that a word does
//! not use leaves its spelling as it was, so words whose merges all stay keep their tokens, and the
//! others fall into smaller pieces, down to bytes.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::error::{Error, Kind, Result};

const WORD_END: &str = "</w>";
/// The start and the end of a text, which are the last two tokens.
const SPECIAL: usize = 2;

fn invalid() -> Error {
    Error::new(
        Kind::TokenizerInvalid,
        "The tokenizer is not CLIP's byte-pair encoding, so its vocabulary cannot be cut.",
    )
}

/// Leaves `merges` merges of a `tokenizer.json`: those that spell most of `texts`, counted by their
/// weights, then the first of the list.
///
/// # Errors
/// `tokenizer/invalid` for a tokenizer that is not CLIP's, `options/invalid` if it has fewer merges.
pub fn cut_tokenizer(bytes: &[u8], texts: &[(String, f64)], merges: usize) -> Result<Vec<u8>> {
    let mut root: Value = serde_json::from_slice(bytes).map_err(|_| invalid())?;
    let list: Vec<(String, String)> = root
        .pointer("/model/merges")
        .and_then(Value::as_array)
        .ok_or_else(invalid)?
        .iter()
        .map(pair)
        .collect::<Option<_>>()
        .ok_or_else(invalid)?;
    if merges > list.len() {
        return Err(Error::new(
            Kind::OptionInvalid,
            format!(
                "The tokenizer has {} merges, fewer than the {merges} that are to stay.",
                list.len()
            ),
        ));
    }
    let kept = most_needed(&list, texts, merges);
    let vocabulary = root
        .pointer_mut("/model/vocab")
        .and_then(Value::as_object_mut)
        .ok_or_else(invalid)?;
    let letters = vocabulary
        .len()
        .checked_sub(list.len() + SPECIAL)
        .ok_or_else(invalid)?;
    // The tokens of bytes keep their ids, those of merges follow in the order of the list.
    let mut moved = serde_json::Map::new();
    for (token, id) in vocabulary.iter() {
        let id = id.as_u64().ok_or_else(invalid)? as usize;
        if id < letters {
            moved.insert(token.clone(), json!(id));
        } else if id >= letters + list.len() {
            moved.insert(token.clone(), json!(id - list.len() + merges));
        }
    }
    for (place, index) in kept.iter().enumerate() {
        let (left, right) = &list[*index];
        moved.insert(format!("{left}{right}"), json!(letters + place));
    }
    *vocabulary = moved;
    let last = |id: &Value| {
        let id = id.as_u64().ok_or_else(invalid)? as usize;
        Ok::<_, Error>(json!(id + merges - list.len()))
    };
    if let Some(tokens) = root
        .pointer_mut("/added_tokens")
        .and_then(Value::as_array_mut)
    {
        for token in tokens {
            let id = token.get_mut("id").ok_or_else(invalid)?;
            *id = last(id)?;
        }
    }
    for end in ["/post_processor/sep/1", "/post_processor/cls/1"] {
        if let Some(id) = root.pointer_mut(end) {
            *id = last(id)?;
        }
    }
    let stay: Vec<Value> = kept
        .iter()
        .map(|index| json!(format!("{} {}", list[*index].0, list[*index].1)))
        .collect();
    if let Some(merges) = root.pointer_mut("/model/merges") {
        *merges = Value::Array(stay);
    }
    serde_json::to_vec(&root).map_err(|error| Error::new(Kind::Internal, error.to_string()))
}

/// `"a b"`, or `["a", "b"]` in newer files.
fn pair(merge: &Value) -> Option<(String, String)> {
    match merge {
        Value::String(line) => line
            .split_once(' ')
            .map(|(left, right)| (left.to_owned(), right.to_owned())),
        Value::Array(pair) => match &pair[..] {
            [Value::String(left), Value::String(right)] => Some((left.clone(), right.clone())),
            _ => None,
        },
        _ => None,
    }
}

/// The numbers of the merges that stay, ascending. The parts of a token are needed at least as often
/// as the token and come before it, so no merge stays without those that make its parts.
fn most_needed(list: &[(String, String)], texts: &[(String, f64)], count: usize) -> Vec<usize> {
    let ranks: BTreeMap<(&str, &str), usize> = list
        .iter()
        .enumerate()
        .map(|(rank, (left, right))| ((left.as_str(), right.as_str()), rank))
        .collect();
    let mut words: BTreeMap<String, f64> = BTreeMap::new();
    for (text, weight) in texts {
        for word in text
            .to_lowercase()
            .split(|c: char| !c.is_ascii_alphabetic())
            .filter(|word| !word.is_empty())
        {
            *words.entry(word.to_owned()).or_default() += weight;
        }
    }
    let mut needed = vec![0f64; list.len()];
    for (word, weight) in &words {
        for rank in used(word, &ranks) {
            needed[rank] += weight;
        }
    }
    let mut order: Vec<usize> = (0..list.len()).collect();
    order.sort_by(|a, b| needed[*b].total_cmp(&needed[*a]).then(a.cmp(b)));
    order.truncate(count);
    order.sort_unstable();
    order
}

/// The merges that spell `word`.
fn used(word: &str, ranks: &BTreeMap<(&str, &str), usize>) -> Vec<usize> {
    let mut parts: Vec<String> = word.chars().map(String::from).collect();
    if let Some(last) = parts.last_mut() {
        last.push_str(WORD_END);
    }
    let mut found = Vec::new();
    loop {
        let first = parts
            .windows(2)
            .filter_map(|pair| ranks.get(&(pair[0].as_str(), pair[1].as_str())))
            .min();
        let Some(rank) = first.copied() else {
            return found;
        };
        found.push(rank);
        let mut next: Vec<String> = Vec::with_capacity(parts.len());
        let mut at = 0;
        while at < parts.len() {
            let pair = parts
                .get(at + 1)
                .map(|right| (parts[at].as_str(), right.as_str()));
            if pair.and_then(|pair| ranks.get(&pair)) == Some(&rank) {
                next.push(format!("{}{}", parts[at], parts[at + 1]));
                at += 2;
            } else {
                next.push(parts[at].clone());
                at += 1;
            }
        }
        parts = next;
    }
}
