//! A smaller vocabulary for a smaller model: a byte-pair tokenizer without its last merges.
//!
//! Merges are learned in the order of how often they occur (Sennrich et al., 2016), so the first N of
//! a list are the list of N. Words that lose their token are spelled by their parts.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::clip::config::ClipConfig;
use crate::error::{Error, Kind, Result};
use crate::quant::HostTensor;

const EMBEDDING: &str = "text_model.embeddings.token_embedding.weight";
/// The start and the end of a text, which are the last two tokens.
const SPECIAL: usize = 2;

/// Leaves the first `merges` of a `tokenizer.json`, and the tokens that they make.
///
/// # Errors
/// `tokenizer/invalid` for a tokenizer that is not CLIP's, `options/invalid` if it has fewer merges.
pub fn shorten_tokenizer(bytes: &[u8], merges: usize) -> Result<Vec<u8>> {
    let invalid = || {
        Error::new(
            Kind::TokenizerInvalid,
            "The tokenizer is not CLIP's byte-pair encoding, so its vocabulary cannot be shortened.",
        )
    };
    let mut root: Value = serde_json::from_slice(bytes).map_err(|_| invalid())?;
    let list = root
        .pointer_mut("/model/merges")
        .and_then(Value::as_array_mut)
        .ok_or_else(invalid)?;
    let had = list.len();
    if merges > had {
        return Err(Error::new(
            Kind::OptionInvalid,
            format!("The tokenizer has {had} merges, fewer than the {merges} that are to stay."),
        ));
    }
    list.truncate(merges);
    let vocabulary = root
        .pointer_mut("/model/vocab")
        .and_then(Value::as_object_mut)
        .ok_or_else(invalid)?;
    let letters = vocabulary
        .len()
        .checked_sub(had + SPECIAL)
        .ok_or_else(invalid)?;
    let (kept, old) = ((letters + merges) as u64, (letters + had) as u64);
    let moved = |id: &Value| {
        let id = id.as_u64().ok_or_else(invalid)?;
        Ok(json!(if id < old { id } else { id - old + kept }))
    };
    vocabulary.retain(|_, id| id.as_u64().is_some_and(|id| id < kept || id >= old));
    for id in vocabulary.values_mut() {
        *id = moved(id)?;
    }
    if let Some(tokens) = root
        .pointer_mut("/added_tokens")
        .and_then(Value::as_array_mut)
    {
        for token in tokens {
            let id = token.get_mut("id").ok_or_else(invalid)?;
            *id = moved(id)?;
        }
    }
    for end in ["/post_processor/sep/1", "/post_processor/cls/1"] {
        if let Some(id) = root.pointer_mut(end) {
            *id = moved(id)?;
        }
    }
    serde_json::to_vec(&root).map_err(|error| Error::new(Kind::Internal, error.to_string()))
}

/// The sizes of a model whose tokenizer was shortened to `merges` of `had`.
pub fn shorten_config(config: &mut ClipConfig, had: usize, merges: usize) {
    config.text.vocab_size -= had - merges;
    config.text.eos_token_id = Some(config.text.vocab_size as u32 - 1);
}

/// Takes the rows of the lost tokens out of the token embedding; `vocabulary` tokens stay.
pub fn shorten_embedding(tensors: &mut BTreeMap<String, HostTensor>, vocabulary: usize) {
    if let Some(HostTensor::Float { shape, data }) = tensors.get_mut(EMBEDDING) {
        let width = shape[1];
        let lost = shape[0] - vocabulary;
        let end = (vocabulary - SPECIAL) * width;
        data.drain(end..end + lost * width);
        shape[0] = vocabulary;
    }
}

/// How many merges a `tokenizer.json` has.
pub fn merges(bytes: &[u8]) -> usize {
    serde_json::from_slice::<Value>(bytes)
        .ok()
        .and_then(|root| root["model"]["merges"].as_array().map(Vec::len))
        .unwrap_or(0)
}
