//! Text to token ids, and class lists.

mod clip_bpe;
mod labels;
mod vocab_merges;

pub use clip_bpe::{ClipTokenizer, Tokens};
pub use labels::{parse_labels, validate};
pub use vocab_merges::tokenizer_json;
