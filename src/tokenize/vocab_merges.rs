//! CLIP's `tokenizer.json`, made of the `vocab.json` and `merges.txt` that older repositories have
//! in its place. The steps around them are the same for every CLIP.

use std::collections::BTreeMap;

use serde_json::json;

use super::tokenizer_file::{END, START, WORD_END};
use crate::error::{Error, Kind, Result};

/// Merges that CLIP's tokenizer takes of a longer list: 49152 tokens less 256 bytes and 2 specials.
const MAX_MERGES: usize = 49_152 - 256 - 2;

/// Names, contractions, letters, single digits, and runs of anything else.
const SPLIT: &str =
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";

/// A `tokenizer.json` of `vocab.json` and `merges.txt`. What they hold is checked when that is
/// read, by [`ClipTokenizer::from_bytes`](super::ClipTokenizer::from_bytes).
///
/// # Errors
/// `tokenizer/invalid` if `vocab` is no table of ids, or `merges` no text of pairs.
pub fn tokenizer_json(vocab: &[u8], merges: &[u8]) -> Result<Vec<u8>> {
    let vocab: BTreeMap<String, u32> =
        serde_json::from_slice(vocab).map_err(|error| invalid("vocab.json", &error.to_string()))?;
    let merges =
        std::str::from_utf8(merges).map_err(|error| invalid("merges.txt", &error.to_string()))?;
    let merges: Vec<&str> = merges
        .lines()
        .filter(|line| !line.starts_with("#version") && !line.trim().is_empty())
        .take(MAX_MERGES)
        .collect();
    let special = |content: &str| {
        let id = vocab.get(content).copied();
        let id = id.ok_or_else(|| invalid("vocab.json", &format!("it has no {content}")))?;
        Ok(json!({
            "id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": content == START, "special": true,
        }))
    };
    let whole = json!({
        "version": "1.0",
        "added_tokens": [special(START)?, special(END)?],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "NFC"},
            {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "},
            {"type": "Lowercase"},
        ]},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": SPLIT}, "behavior": "Removed", "invert": true},
            {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
        ]},
        "post_processor": null,
        "decoder": {
            "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true,
        },
        "model": {
            "type": "BPE", "dropout": null, "unk_token": END, "continuing_subword_prefix": "",
            "end_of_word_suffix": WORD_END, "fuse_unk": false, "byte_fallback": false,
            "ignore_merges": false, "vocab": vocab, "merges": merges,
        },
    });
    Ok(whole.to_string().into_bytes())
}

fn invalid(file: &str, what: &str) -> Error {
    let what: String = what.chars().filter(|c| !c.is_control()).take(300).collect();
    Error::new(
        Kind::TokenizerInvalid,
        format!("{file} cannot be read ({what}); use the one that belongs to the model."),
    )
}
