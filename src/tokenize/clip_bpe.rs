//! CLIP's byte-level BPE, by the tokenizers crate, from the model's own `tokenizer.json`.
//!
//! Only the text pipeline is taken from the file: normalizer, pre-tokenizer, vocabulary, merges.
//! The special tokens are not registered with it, so that a class name that spells one out is
//! plain text; start and end are set around the ids here.

use tokenizers::{NormalizerWrapper, PreTokenizerWrapper, Tokenizer};

#[cfg(not(target_arch = "wasm32"))]
use super::tokenizer_file::WORD_END;
use super::tokenizer_file::{
    END, File, NORMALIZERS, PRE_TOKENIZERS, START, check_steps, invalid, parse,
};
use crate::error::{Error, Kind, Result};

/// The largest `tokenizer.json` that is read.
const MAX_FILE_BYTES: usize = 64 << 20;
/// The longest text that is encoded. A context is full after far less.
const MAX_TEXT_BYTES: usize = 1 << 16;

/// One text as ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens {
    /// Start, the text, end; at most the context length.
    pub ids: Vec<u32>,
    /// Whether the text was cut to fit.
    pub truncated: bool,
}

/// The tokenizer of one model.
#[derive(Debug)]
pub struct ClipTokenizer {
    pipeline: Tokenizer,
    start: u32,
    end: u32,
    context_length: usize,
}

impl ClipTokenizer {
    /// Reads a `tokenizer.json` for a model of this context length and vocabulary.
    ///
    /// # Errors
    /// `tokenizer/missing` if there are no bytes; `tokenizer/invalid` if they are not a byte-level
    /// BPE with CLIP's start and end tokens, or an id is not below `vocab_size`.
    pub fn from_bytes(bytes: &[u8], context_length: usize, vocab_size: usize) -> Result<Self> {
        if bytes.is_empty() {
            return Err(Error::new(
                Kind::TokenizerMissing,
                "There is no tokenizer.json; copy the one that belongs to the model beside its weights.",
            ));
        }
        if bytes.len() > MAX_FILE_BYTES {
            return Err(invalid("is larger than 64 MiB"));
        }
        let file: File = serde_json::from_slice(bytes)
            .map_err(|error| invalid(format!("cannot be read ({error})")))?;
        let start = file.special(START)?;
        let end = file.special(END)?;
        if start == end || context_length < 3 {
            return Err(invalid("does not tell start from end"));
        }
        let model = file.model.build(vocab_size, start, end)?;

        check_steps(&file.normalizer, NORMALIZERS)?;
        let steps = check_steps(&file.pre_tokenizer, PRE_TOKENIZERS)?;
        if steps.last() != Some(&"ByteLevel") {
            return Err(invalid("does not end in byte-level symbols"));
        }
        let normalizer: Option<NormalizerWrapper> = parse(file.normalizer)?;
        let pre_tokenizer: Option<PreTokenizerWrapper> = parse(file.pre_tokenizer)?;

        let mut pipeline = Tokenizer::new(model);
        pipeline
            .with_normalizer(normalizer)
            .map_err(|error| invalid(error.to_string()))?
            .with_pre_tokenizer(pre_tokenizer);
        Ok(Self {
            pipeline,
            start,
            end,
            context_length,
        })
    }

    /// The ids of `text`: start, words, end. A text that does not fit keeps its front, and the end
    /// id stays last.
    ///
    /// # Errors
    /// `labels/too-long` above 64 KiB.
    pub fn encode(&self, text: &str) -> Result<Tokens> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(Error::new(
                Kind::LabelsTooLong,
                "A text is longer than 64 KiB; shorten it.",
            ));
        }
        let encoding = self
            .pipeline
            .encode_fast(text, false)
            .map_err(|error| invalid(format!("cannot encode a text ({error})")))?;
        let words = encoding.get_ids();
        let room = self.context_length - 2;
        let mut ids = Vec::with_capacity(words.len().min(room) + 2);
        ids.push(self.start);
        ids.extend_from_slice(&words[..words.len().min(room)]);
        ids.push(self.end);
        Ok(Tokens {
            ids,
            truncated: words.len() > room,
        })
    }

    /// The words of `ids`, with a space behind each piece that ends one; `None` for an id that there
    /// is not, or bytes that are no text. The result has the same ids as the text that they came from.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn decode(&self, ids: &[u32]) -> Option<String> {
        use tokenizers::Decoder;
        use tokenizers::pre_tokenizers::byte_level::ByteLevel;
        let mut symbols = String::new();
        let mut words = Vec::new();
        for (i, id) in ids.iter().enumerate() {
            let token = self.pipeline.id_to_token(*id)?;
            let end = token.strip_suffix(WORD_END);
            symbols.push_str(end.unwrap_or(&token));
            if end.is_some() || i + 1 == ids.len() {
                let whole = std::mem::take(&mut symbols);
                words.extend(ByteLevel::default().decode_chain(vec![whole]).ok()?);
            }
        }
        let text = words.join(" ");
        (!text.contains(char::REPLACEMENT_CHARACTER)).then_some(text)
    }

    /// The start id.
    pub fn sot(&self) -> u32 {
        self.start
    }

    /// The end id, whatever a configuration says.
    pub fn eot(&self) -> u32 {
        self.end
    }

    /// The longest sequence that [`encode`](Self::encode) gives.
    pub fn context_length(&self) -> usize {
        self.context_length
    }
}
