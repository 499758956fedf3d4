//! Text to token ids, and class lists.

mod clip_bpe;
pub mod known_words;
mod labels;
mod vocab_merges;

pub use clip_bpe::{ClipTokenizer, Tokens};
pub use known_words::KnownWords;
pub use labels::{parse_labels, validate};
pub use vocab_merges::tokenizer_json;
